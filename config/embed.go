// Package config holds what is installed into a cluster: CRDs, roles, the admission policy and the controller.
package config

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

//go:embed crd/*.yaml rbac/*.yaml policy/*.yaml manager/*.yaml
var files embed.FS

// Namespace that the controller runs in, and that holds frozen content.
const Namespace = "lockstep-system"

// Controller is the name of the controller's Deployment and ServiceAccount.
const Controller = "lockstep-controller"

// placeholder begins the images of the manifests.
const placeholder = "lockstep.dev/"

// order is the order of installation: what others need comes first.
var order = []string{"manager/namespace.yaml", "crd/*.yaml", "rbac/*.yaml", "policy/*.yaml", "manager/manager.yaml"}

// Options of an installation.
type Options struct {
	// Registry replaces the part of the images' names before /controller. Default: as in the manifests.
	Registry string
	// Tag replaces the images' tag. Default: as in the manifests.
	Tag string
	// Digest, sha256:…, is used instead of the tag.
	Digest string
	// Image replaces the controller's image as a whole.
	Image string
	// Version of the build that installs, which is written onto the kinds and the controller. Default: not written.
	Version string
}

// Objects returns everything that is installed, in the order of installation.
func Objects(o Options) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, pattern := range order {
		objects, err := read(pattern)
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	for _, object := range all {
		if err := o.setImages(object); err != nil {
			return nil, err
		}
	}
	return all, o.sign(all)
}

// CRDs returns the definitions of Lockstep's kinds.
func CRDs() ([]*unstructured.Unstructured, error) { return read("crd/*.yaml") }

// Policy returns the admission policy that makes Decisions trustworthy, and its binding.
func Policy() ([]*unstructured.Unstructured, error) { return read("policy/*.yaml") }

// Roles returns the roles of the controller, of teams and of people, with their bindings.
func Roles() ([]*unstructured.Unstructured, error) { return read("rbac/*.yaml") }

func read(pattern string) ([]*unstructured.Unstructured, error) {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		return nil, fmt.Errorf("manifests %s: %w", pattern, err)
	}
	var all []*unstructured.Unstructured
	for _, name := range names {
		raw, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("manifest %s: %w", name, err)
		}
		objects, err := decode(raw)
		if err != nil {
			return nil, fmt.Errorf("manifest %s: %w", name, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

func decode(raw []byte) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			all = append(all, object)
		}
	}
}

func (o Options) setImages(object *unstructured.Unstructured) error {
	if object.GetKind() != "Deployment" {
		return nil
	}
	path := []string{"spec", "template", "spec", "containers"}
	containers, _, err := unstructured.NestedSlice(object.Object, path...)
	if err != nil {
		return fmt.Errorf("containers of %s: %w", object.GetName(), err)
	}
	for _, c := range containers {
		if container, ok := c.(map[string]any); ok {
			image, _ := container["image"].(string)
			container["image"] = o.image(image)
		}
	}
	return unstructured.SetNestedSlice(object.Object, containers, path...)
}

func (o Options) image(image string) string {
	if o.Image != "" {
		return o.Image
	}
	name, tag, _ := strings.Cut(image, ":")
	if o.Registry != "" {
		name = strings.TrimSuffix(o.Registry, "/") + "/" + strings.TrimPrefix(name, placeholder)
	}
	if o.Digest != "" {
		return name + "@" + o.Digest
	}
	if o.Tag != "" {
		tag = o.Tag
	}
	return name + ":" + tag
}
