// Package v1alpha1 holds the API of Lockstep: Stack (what is released together, and how), Release (one version of the
// whole stack) and Decision (what a person or a pipeline said about a release).
//
// +kubebuilder:object:generate=true
// +groupName=lockstep.dev
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package="applyconfiguration"
package v1alpha1
