package cli

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/render"
	"github.com/lockstep-dev/lockstep/internal/view"
)

// noObjects are the objects of what is empty, which is known; nil stands for what is not.
var noObjects = []*unstructured.Unstructured{}

func contentFor(r *v1alpha1.Release, slot string) *v1alpha1.SlotContent {
	for i := range r.Status.Started.Content {
		if c := &r.Status.Started.Content[i]; c.Slot == slot {
			return c
		}
	}
	return nil
}

// releaseSide is the content of a release for a slot. What cannot be read is said in unknown.
func (c *Cluster) releaseSide(ctx context.Context, r *v1alpha1.Release, slot string, unknown *[]string) view.Side {
	side := view.Side{
		What: "release " + r.Name, Slot: slot, Images: view.MemberImages(r.Status.Started.Members),
		Names: map[string]string{r.Name: "$(release)"},
	}
	if commit := view.Short(r.Status.Started.Commit); commit != "" {
		side.What += " @ " + commit
	}
	content := contentFor(r, slot)
	if content == nil {
		*unknown = append(*unknown, fmt.Sprintf("the objects of release %s: it has no content for slot %q", r.Name, slot))
		return side
	}
	side.Digest = content.Digest
	objects, err := c.frozen(ctx, content)
	if err != nil {
		*unknown = append(*unknown, fmt.Sprintf("the objects of release %s: %v", r.Name, err))
		return side
	}
	side.Objects = objects
	return side
}

// frozen reads the frozen content of a slot with the user's own rights.
func (c *Cluster) frozen(ctx context.Context, content *v1alpha1.SlotContent) ([]*unstructured.Unstructured, error) {
	namespace := c.system(ctx)
	chunks := make([][]byte, 0, len(content.Secrets))
	for _, name := range content.Secrets {
		secret := &corev1.Secret{}
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
		switch {
		case apierrors.IsForbidden(err):
			return nil, fmt.Errorf("you may not read the frozen content; it needs the right to get secrets in namespace %s", namespace)
		case gone(err):
			return nil, fmt.Errorf("the frozen content is not there any more (Secret %s/%s)", namespace, name)
		case err != nil:
			return nil, explain(err)
		}
		chunks = append(chunks, secret.Data[render.SecretKey])
	}
	if len(chunks) == 0 {
		return nil, errors.New("no frozen content is on record")
	}
	objects, err := render.Decode(chunks)
	if err != nil {
		return nil, err
	}
	if digest, err := render.SizelessDigest(objects); err != nil || digest != content.Digest {
		return nil, fmt.Errorf("the frozen content in namespace %s is not what was frozen: its digest is another", namespace)
	}
	return objects, nil
}
