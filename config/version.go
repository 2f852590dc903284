package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	// AnnotationVersion on the kinds and on the controller's Deployment is the version of the command that installed them.
	AnnotationVersion = "lockstep.dev/version"
	// AnnotationSchema on the kinds is the fingerprint of all their schemas: who has the same knows the same fields.
	AnnotationSchema = "lockstep.dev/schema"
)

// Schema is the fingerprint of the kinds of this build.
func Schema() (string, error) {
	crds, err := CRDs()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, crd := range crds {
		raw, err := json.Marshal(crd.Object["spec"])
		if err != nil {
			return "", fmt.Errorf("encoding %s: %w", crd.GetName(), err)
		}
		_, _ = sum.Write(raw) // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// sign writes onto kinds and controller which version they are.
func (o Options) sign(objects []*unstructured.Unstructured) error {
	schema, err := Schema()
	if err != nil {
		return err
	}
	for _, object := range objects {
		isKind := object.GetKind() == "CustomResourceDefinition"
		if !isKind && object.GetKind() != "Deployment" {
			continue
		}
		annotations := object.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		if o.Version != "" {
			annotations[AnnotationVersion] = o.Version
		}
		if isKind {
			annotations[AnnotationSchema] = schema
		}
		if len(annotations) > 0 {
			object.SetAnnotations(annotations)
		}
	}
	return nil
}
