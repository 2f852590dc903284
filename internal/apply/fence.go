package apply

import (
	"context"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Every write in a slot is a compare-and-swap: the object is read, left alone if it carries a later epoch, and written
// with the resourceVersion that was read. What does not exist is created, so that AlreadyExists stops a late writer: an
// apply would overwrite what a later plan has made in the meantime.
//
// The writes are plain server-side applies and not fluxcd/pkg/ssa's: its ResourceManager reads the object again by
// itself, and creates by apply. Its ordering and its comparison are used.

func epochOf(o metav1.Object) int64 {
	epoch, err := strconv.ParseInt(o.GetAnnotations()[v1alpha1.AnnotationEpoch], 10, 64)
	if err != nil {
		return 0
	}
	return epoch
}

func setEpoch(o metav1.Object, epoch int64) {
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.AnnotationEpoch] = strconv.FormatInt(epoch, 10)
	o.SetAnnotations(annotations)
}

// look reads an object as it is now; nil where there is none.
func look(ctx context.Context, c client.Client, like *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(like.GroupVersionKind())
	err := c.Get(ctx, client.ObjectKeyFromObject(like), live)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return live, nil
}

// glance reads an object's metadata only, so that no Secret's data is read; nil where there is none.
func glance(ctx context.Context, c client.Client, like *unstructured.Unstructured) (*metav1.PartialObjectMetadata, error) {
	live := &metav1.PartialObjectMetadata{}
	live.SetGroupVersionKind(like.GroupVersionKind())
	err := c.Get(ctx, client.ObjectKeyFromObject(like), live)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return live, nil
}

// applyAt applies want over the object of which resourceVersion was read.
func applyAt(ctx context.Context, c client.Client, want *unstructured.Unstructured, resourceVersion string) (*unstructured.Unstructured, error) {
	object := want.DeepCopy()
	object.SetResourceVersion(resourceVersion)
	err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.ForceOwnership, client.FieldOwner(v1alpha1.ManagerContent))
	return object, err
}

// create makes an object that did not exist, and leaves it owned as if it had been applied.
func create(ctx context.Context, c client.Client, want *unstructured.Unstructured) error {
	object := want.DeepCopy()
	if err := c.Create(ctx, object, client.FieldOwner(v1alpha1.ManagerContent)); err != nil {
		return err
	}
	_, err := settle(ctx, c, object)
	return err
}

// deleteAt deletes the object of which uid and resourceVersion were read. It is fine if it is gone.
func deleteAt(ctx context.Context, c client.Client, live client.Object) error {
	uid, version := live.GetUID(), live.GetResourceVersion()
	err := c.Delete(ctx, live,
		client.Preconditions{UID: &uid, ResourceVersion: &version},
		client.PropagationPolicy(metav1.DeletePropagationBackground))
	return client.IgnoreNotFound(err)
}
