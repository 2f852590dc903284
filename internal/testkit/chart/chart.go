// Package chart renders the chart of Lockstep, as Helm does.
package chart

import (
	"bytes"
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
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(files[name])), 4096)
		for {
			object := &unstructured.Unstructured{}
			err := decoder.Decode(object)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", name, err, files[name])
			}
			if len(object.Object) > 0 {
				all = append(all, object)
			}
		}
	}
	return all, nil
}
