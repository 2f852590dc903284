package cli

import (
	"bytes"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
)

// place says where Lockstep is installed, and where its images come from.
type place struct {
	config.Options
	namespace string
}

// manifests is what this build installs, in the order in which it is applied.
func (p place) manifests() ([]*unstructured.Unstructured, error) {
	all, err := config.Objects(p.Options)
	if err != nil {
		return nil, fmt.Errorf("the manifests of this build are broken: %w", err)
	}
	for _, o := range all {
		p.move(o)
	}
	return all, nil
}

// move takes a manifest to the namespace.
func (p place) move(o *unstructured.Unstructured) {
	if o.GetKind() == "Namespace" && o.GetName() == config.Namespace {
		o.SetName(p.namespace)
	}
	if o.GetNamespace() == config.Namespace {
		o.SetNamespace(p.namespace)
	}
	subjects, found, _ := unstructured.NestedSlice(o.Object, "subjects")
	if !found {
		return
	}
	for _, s := range subjects {
		if subject, ok := s.(map[string]any); ok && subject["namespace"] == config.Namespace {
			subject["namespace"] = p.namespace
		}
	}
	_ = unstructured.SetNestedSlice(o.Object, subjects, "subjects")
}

// printObjects prints manifests as one file.
func printObjects(objects []*unstructured.Unstructured) ([]byte, error) {
	var out bytes.Buffer
	for _, o := range objects {
		raw, err := yaml.Marshal(o.Object)
		if err != nil {
			return nil, err
		}
		out.WriteString("---\n")
		out.Write(raw)
	}
	return out.Bytes(), nil
}

// isOurs reports whether a definition is one of Lockstep's kinds.
func isOurs(o *unstructured.Unstructured) bool {
	return o.GetKind() == "CustomResourceDefinition" && strings.HasSuffix(o.GetName(), "."+v1alpha1.Group)
}
