package apply

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/render"
)

const (
	// contentType is the type of the Secrets that hold frozen content.
	contentType corev1.SecretType = "lockstep.dev/content"
	// contentKey is the key under which a Secret holds its part.
	contentKey = render.SecretKey
	// contentPrefix begins their names; a hash of what they hold follows.
	contentPrefix = "lockstep-content-"
	// annotationFrozenAt is when content was last frozen: what is younger than contentGrace is not swept.
	annotationFrozenAt = "lockstep.dev/frozen-at"
)

func contentLabels(stack *v1alpha1.Stack) map[string]string {
	labels := stackLabels(stack)
	labels[v1alpha1.LabelContent] = "true"
	return labels
}

// freeze keeps parts of content, and returns the names of the Secrets that hold them.
func (a *Applier) freeze(ctx context.Context, stack *v1alpha1.Stack, parts [][]byte) ([]string, error) {
	names := make([]string, 0, len(parts))
	for _, part := range parts {
		name := contentName(stack, part)
		if err := a.keep(ctx, stack, name, part); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// contentName addresses content within its Stack: what one Stack keeps is never another one's to delete.
func contentName(stack *v1alpha1.Stack, part []byte) string {
	sum := sha256.New()
	_, _ = fmt.Fprintf(sum, "%s/%s\n", stack.Namespace, stack.Name) // a hash takes everything
	_, _ = sum.Write(part)
	return contentPrefix + hex.EncodeToString(sum.Sum(nil))[:32]
}

func (a *Applier) keep(ctx context.Context, stack *v1alpha1.Stack, name string, part []byte) error {
	immutable := true
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   a.ControllerNamespace,
			Name:        name,
			Labels:      contentLabels(stack),
			Annotations: a.frozenNow(),
		},
		Type:      contentType,
		Immutable: &immutable,
		Data:      map[string][]byte{contentKey: part},
	}
	err := a.Client.Create(ctx, secret, client.FieldOwner(managerSlots))
	if apierrors.IsAlreadyExists(err) {
		return a.touch(ctx, name)
	}
	if err != nil {
		return refused("keeping the frozen content "+name, err)
	}
	return nil
}

// touch tells the sweeper that content which exists already is wanted again.
func (a *Applier) touch(ctx context.Context, name string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": a.frozenNow()}})
	if err != nil {
		return fmt.Errorf("encoding the time of %s: %w", name, err)
	}
	secret := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: a.ControllerNamespace, Name: name}}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kindSecret))
	if err := a.Client.Patch(ctx, secret, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(managerSlots)); err != nil {
		return fmt.Errorf("keeping the frozen content %s: %w", name, err)
	}
	return nil
}

func (a *Applier) frozenNow() map[string]string {
	return map[string]string{annotationFrozenAt: a.Clock().UTC().Format(time.RFC3339)}
}

// content reads the frozen content of a release for a slot, and stamps it.
func (a *Applier) content(ctx context.Context, stack *v1alpha1.Stack, release *v1alpha1.Release, slot v1alpha1.Slot) ([]*unstructured.Unstructured, error) {
	frozen := contentOf(release, slot.Name)
	if frozen == nil {
		return nil, refuse(v1alpha1.ReasonContentMissing,
			"release %s has no frozen content for slot %s: it was rendered before the slot was added; make a new release", release.Name, slot.Name)
	}
	parts := make([][]byte, 0, len(frozen.Secrets))
	for _, name := range frozen.Secrets {
		part, err := a.part(ctx, stack, release, name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	objects, err := render.Decode(parts)
	if err != nil {
		return nil, refuse(v1alpha1.ReasonContentMissing, "the frozen content of release %s for slot %s cannot be read (%v); make a new release", release.Name, slot.Name, err)
	}
	if err := plainSecrets(objects); err != nil {
		return nil, err
	}
	return stamped(stack, release, slot, objects), nil
}

// plainSecrets writes stringData as data: the API server does so too, but leaves keys that were taken away, and does not
// say who wrote one.
func plainSecrets(objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		texts, _, err := unstructured.NestedStringMap(object.Object, "stringData")
		if err != nil || object.GetKind() != kindSecret || len(texts) == 0 {
			continue // what is malformed the API server refuses, and says so
		}
		for name, text := range texts {
			encoded := base64.StdEncoding.EncodeToString([]byte(text))
			if err := unstructured.SetNestedField(object.Object, encoded, "data", name); err != nil {
				return fmt.Errorf("reading Secret %s: %w", object.GetName(), err)
			}
		}
		unstructured.RemoveNestedField(object.Object, "stringData")
	}
	return nil
}

func contentOf(release *v1alpha1.Release, slot string) *v1alpha1.SlotContent {
	if release.Status.Started == nil {
		return nil
	}
	for i := range release.Status.Started.Content {
		if c := &release.Status.Started.Content[i]; c.Slot == slot {
			return c
		}
	}
	return nil
}

// part reads what a Secret holds. Its name is a hash of that, so that nothing else can take its place.
func (a *Applier) part(ctx context.Context, stack *v1alpha1.Stack, release *v1alpha1.Release, name string) ([]byte, error) {
	secret := &corev1.Secret{}
	err := a.Client.Get(ctx, types.NamespacedName{Namespace: a.ControllerNamespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		return nil, refuse(v1alpha1.ReasonContentMissing,
			"Secret %s/%s, which holds frozen content of release %s, is gone; make a new release", a.ControllerNamespace, name, release.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the frozen content %s: %w", name, err)
	}
	part := secret.Data[contentKey]
	if contentName(stack, part) != name {
		return nil, refuse(v1alpha1.ReasonContentMissing,
			"Secret %s/%s does not hold what release %s froze: its digest is another; delete the Secret, find out who may write there, and make a new release", a.ControllerNamespace, name, release.Name)
	}
	return part, nil
}

// stamped writes onto rendered objects whose they are. Frozen content carries no stamp: a rollback applies the same
// content for another Release.
func stamped(stack *v1alpha1.Stack, release *v1alpha1.Release, slot v1alpha1.Slot, objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	return render.Stamp(objects, render.StampOptions{
		Stack:          stack.Name,
		StackNamespace: stack.Namespace,
		Slot:           slot.Name,
		Namespace:      slot.Namespace,
		Release:        release.Name,
	})
}
