package apply

import (
	"context"
	"fmt"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// reference is an object that a Pod template names, and without which no Pod starts.
type reference struct {
	kind string
	name string
}

// The kinds that Pod templates refer to.
const (
	kindSecret         = "Secret"
	kindConfigMap      = "ConfigMap"
	kindServiceAccount = "ServiceAccount"
	kindClaim          = "PersistentVolumeClaim"
)

// defaultAccount exists in every namespace, a moment after the namespace does.
const defaultAccount = "default"

// checkReferences looks for what Pod templates name: in the content first, and then in the slot's namespace.
func (w *slotWork) checkReferences(ctx context.Context, found *problems) error {
	known := map[reference]bool{}
	for _, object := range w.objects {
		known[reference{kind: object.GetKind(), name: object.GetName()}] = true
	}
	for _, object := range w.objects {
		if !isWorkload(object) {
			continue
		}
		spec, err := podSpecOf(object)
		if err != nil {
			found.add(v1alpha1.ReasonAdmissionRefused, "%s", err.Error())
			continue
		}
		for _, ref := range referencesOf(spec) {
			if err := w.checkReference(ctx, object, ref, known, found); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *slotWork) checkReference(ctx context.Context, member *unstructured.Unstructured, ref reference, known map[reference]bool, found *problems) error {
	exists, asked := known[ref]
	if !asked {
		var err error
		exists, err = w.exists(ctx, ref)
		if err := found.take(err); err != nil {
			return err
		}
		known[ref] = exists || err != nil || w.comesLater(ref)
		exists = known[ref]
	}
	if !exists {
		found.add(v1alpha1.ReasonReferenceMissing,
			"member %s needs %s %s, which is neither in the content nor in namespace %s (what a former release left there is removed); add it to the manifests, or create it there",
			member.GetName(), ref.kind, ref.name, w.slot.Namespace)
	}
	return nil
}

func (w *slotWork) exists(ctx context.Context, ref reference) (bool, error) {
	if ref.kind == kindServiceAccount && ref.name == defaultAccount {
		return true, nil
	}
	there, err := w.isThere(ctx, ref)
	if err != nil || !there {
		return false, err
	}
	leftover, err := w.isLeft(ctx, ref)
	return !leftover, err
}

func (w *slotWork) isThere(ctx context.Context, ref reference) (bool, error) {
	if ref.kind == kindSecret {
		return w.secretExists(ctx, ref.name)
	}
	like := &unstructured.Unstructured{}
	like.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(ref.kind))
	like.SetNamespace(w.slot.Namespace)
	like.SetName(ref.name)
	live, err := glance(ctx, w.team, like)
	return live != nil, w.refused("looking for", like, err)
}

// isLeft is whether a former release left the object, so that it will be pruned. Only what carries the Stack's labels is
// asked for.
func (w *slotWork) isLeft(ctx context.Context, ref reference) (bool, error) {
	if neverPruned[ref.kind] {
		return false, nil
	}
	list, err := w.labelled(ctx, corev1.SchemeGroupVersion.WithKind(ref.kind), client.MatchingFields{"metadata.name": ref.name})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(list, func(o metav1.PartialObjectMetadata) bool { return w.isLeftover(&o, math.MaxInt64) }), nil
}

// secretExists finds out without reading it: a Secret of that name could be created only if there were none.
func (w *slotWork) secretExists(ctx context.Context, name string) (bool, error) {
	secret := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: kindSecret},
		ObjectMeta: metav1.ObjectMeta{Namespace: w.slot.Namespace, Name: name},
	}
	err := w.team.Create(ctx, secret.DeepCopy(), client.DryRunAll)
	if apierrors.IsAlreadyExists(err) {
		return true, nil
	}
	return false, w.refused("looking for", secret, err)
}

// referencesOf lists what a Pod must find; what is optional is left out.
func referencesOf(spec *corev1.PodSpec) []reference {
	var all refs
	all.name(kindServiceAccount, spec.ServiceAccountName)
	for _, secret := range spec.ImagePullSecrets {
		all.name(kindSecret, secret.Name)
	}
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			all.container(&containers[i])
		}
	}
	for i := range spec.Volumes {
		all.volume(&spec.Volumes[i])
	}
	return all
}

type refs []reference

func (r *refs) name(kind, name string) {
	if name != "" {
		*r = append(*r, reference{kind: kind, name: name})
	}
}

func (r *refs) required(kind, name string, optional *bool) {
	if optional == nil || !*optional {
		r.name(kind, name)
	}
}

func (r *refs) container(c *corev1.Container) {
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef != nil {
			r.required(kindConfigMap, from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
		}
		if from.SecretRef != nil {
			r.required(kindSecret, from.SecretRef.Name, from.SecretRef.Optional)
		}
	}
	for _, env := range c.Env {
		if env.ValueFrom == nil {
			continue
		}
		if ref := env.ValueFrom.ConfigMapKeyRef; ref != nil {
			r.required(kindConfigMap, ref.Name, ref.Optional)
		}
		if ref := env.ValueFrom.SecretKeyRef; ref != nil {
			r.required(kindSecret, ref.Name, ref.Optional)
		}
	}
}

func (r *refs) volume(v *corev1.Volume) {
	if v.ConfigMap != nil {
		r.required(kindConfigMap, v.ConfigMap.Name, v.ConfigMap.Optional)
	}
	if v.Secret != nil {
		r.required(kindSecret, v.Secret.SecretName, v.Secret.Optional)
	}
	if v.PersistentVolumeClaim != nil {
		r.name(kindClaim, v.PersistentVolumeClaim.ClaimName)
	}
	if v.Projected != nil {
		r.projected(v.Projected.Sources)
	}
}

func (r *refs) projected(sources []corev1.VolumeProjection) {
	for _, source := range sources {
		if source.ConfigMap != nil {
			r.required(kindConfigMap, source.ConfigMap.Name, source.ConfigMap.Optional)
		}
		if source.Secret != nil {
			r.required(kindSecret, source.Secret.Name, source.Secret.Optional)
		}
	}
}

// String names the reference for people.
func (r reference) String() string { return fmt.Sprintf("%s %s", r.kind, r.name) }
