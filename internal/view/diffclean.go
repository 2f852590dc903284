package view

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// serverFields are what a server, or one of its controllers, fills in.
var serverFields = []string{
	"metadata.creationTimestamp", "metadata.deletionGracePeriodSeconds", "metadata.generation", "metadata.managedFields", "metadata.namespace",
	"metadata.resourceVersion", "metadata.selfLink", "metadata.uid", "metadata.ownerReferences", "status",
	"spec.template.metadata.creationTimestamp", "spec.jobTemplate.metadata.creationTimestamp", "spec.jobTemplate.spec.template.metadata.creationTimestamp",
	"spec.clusterIP", "spec.clusterIPs", "spec.ipFamilies", "spec.ipFamilyPolicy", "spec.healthCheckNodePort", "secrets",
}

// serverAnnotations are written by controllers and by tools; the last one repeats the whole object, a Secret's values
// included.
var serverAnnotations = []string{"deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation", "kubectl.kubernetes.io/last-applied-configuration"}

// labelPlaces are where labels, annotations and selectors stand.
var labelPlaces = [][]string{
	{"metadata", "labels"},
	{"metadata", "annotations"},
	{"spec", "selector"},
	{"spec", "template", "metadata", "labels"},
	{"spec", "template", "metadata", "annotations"},
	{"spec", "jobTemplate", "metadata", "labels"},
	{"spec", "jobTemplate", "spec", "template", "metadata", "labels"},
}

// withoutServer is a copy with what the team wrote, as far as that can be told.
func withoutServer(o *unstructured.Unstructured) *unstructured.Unstructured {
	out := o.DeepCopy()
	for _, path := range serverFields {
		unstructured.RemoveNestedField(out.Object, strings.Split(path, ".")...)
	}
	for _, place := range labelPlaces {
		clean(out, place)
	}
	return out
}

// clean leaves out what Lockstep stamps, and what controllers write.
func clean(o *unstructured.Unstructured, place []string) {
	found, ok, _ := unstructured.NestedFieldNoCopy(o.Object, place...)
	labels, isMap := found.(map[string]any)
	if !ok || !isMap {
		return
	}
	for key := range labels {
		if strings.HasPrefix(key, v1alpha1.Group+"/") {
			delete(labels, key)
		}
	}
	for _, key := range serverAnnotations {
		delete(labels, key)
	}
	if len(labels) == 0 {
		unstructured.RemoveNestedField(o.Object, place...)
	}
}
