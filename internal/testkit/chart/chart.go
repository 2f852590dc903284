// Package chart renders the chart of Lockstep, as Helm does.
package chart

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// Render renders the chart in dir, with values as YAML over its own, as a Helm release named lockstep in the namespace.
// Values that the chart's schema refuses are an error.
func Render(dir, namespace, values string) ([]*unstructured.Unstructured, error) {
	loaded, err := loader.LoadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("loading the chart: %w", err)
	}
	over := map[string]any{}
	if err := sigsyaml.Unmarshal([]byte(values), &over); err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	all, err := util.ToRenderValues(loaded, over, common.ReleaseOptions{Name: "lockstep", Namespace: namespace, Revision: 1, IsInstall: true}, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(loaded, all)
	if err != nil {
		return nil, err
	}
	return objects(files)
}

func objects(files map[string]string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if base := path.Base(name); strings.HasPrefix(base, "_") || base == "NOTES.txt" {
			continue
		}
		found, err := read(files[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", name, err, files[name])
		}
		all = append(all, found...)
	}
	return all, nil
}

func read(file string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	documents := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(file)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		object, err := parse(document)
		if err != nil {
			return nil, err
		}
		if object != nil {
			all = append(all, object)
		}
	}
}

// parse refuses a key that stands there twice, as the API server may. It returns nil for an empty document.
func parse(document []byte) (*unstructured.Unstructured, error) {
	raw, err := sigsyaml.YAMLToJSONStrict(document)
	if err != nil || string(raw) == "null" {
		return nil, err
	}
	object := &unstructured.Unstructured{}
	return object, object.UnmarshalJSON(raw)
}
