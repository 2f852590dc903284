package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group is the API group of every Lockstep kind.
const Group = "lockstep.dev"

// GroupVersion is the group and version of the kinds in this package.
var GroupVersion = schema.GroupVersion{Group: Group, Version: "v1alpha1"}

// SchemeGroupVersion is the name that generated apply configurations expect for GroupVersion.
var SchemeGroupVersion = GroupVersion

// AddToScheme registers the kinds of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &Stack{}, &StackList{}, &Release{}, &ReleaseList{}, &Decision{}, &DecisionList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
