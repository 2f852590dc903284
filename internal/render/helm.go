package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// helm renders the chart at a path for a slot, as `helm template` does on a first installation.
func (c *checkout) helm(dir string, req *Request, slot v1alpha1.Slot) ([]object, error) {
	if _, err := c.stat(path.Join(dir, "Chart.yaml")); errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(v1alpha1.ReasonRenderFailed, "source.git.path %s holds no Helm chart (Chart.yaml); correct the path, or set source.plain instead of source.helm", dir)
	}
	// Helm changes a chart while it works out what is enabled: every slot begins with its own.
	loaded, err := c.loadChart(dir)
	if err != nil {
		return nil, err
	}
	if loaded.Metadata.Type == "library" {
		return nil, refuse(v1alpha1.ReasonRenderFailed, "%s is a library chart, which renders nothing; set source.git.path to the chart of the stack", dir)
	}
	values, err := c.values(dir, req, slot)
	if err != nil {
		return nil, err
	}
	files, err := execute(loaded, values, releaseOptions(req, slot))
	if err != nil {
		return nil, templateError(dir, slot, err)
	}
	if err := bearable(files, req.Limits.withDefaults().Output); err != nil {
		return nil, err
	}
	return manifests(loaded, files)
}

// bearable refuses too much text before it is read: objects take many times the memory.
func bearable(files map[string]string, limit int64) error {
	size := 0
	for _, text := range files {
		size += len(text)
	}
	if int64(size) > limit {
		return tooLarge("what the templates print for a slot", size, int(limit))
	}
	return nil
}

func releaseOptions(req *Request, slot v1alpha1.Slot) common.ReleaseOptions {
	name := req.Source.Helm.ReleaseName
	if name == "" {
		name = req.Stack
	}
	return common.ReleaseOptions{Name: name, Namespace: slot.Namespace, Revision: 1, IsInstall: true}
}

func execute(loaded *chart.Chart, values map[string]any, options common.ReleaseOptions) (map[string]string, error) {
	if err := chartutil.ProcessDependencies(loaded, values); err != nil {
		return nil, fmt.Errorf("working out its dependencies: %w", err)
	}
	kubernetes, err := capabilities()
	if err != nil {
		return nil, err
	}
	if wanted := loaded.Metadata.KubeVersion; wanted != "" && !chartutil.IsCompatibleRange(wanted, KubeVersion) {
		return nil, fmt.Errorf("it asks for Kubernetes %s (kubeVersion in Chart.yaml), and charts are rendered for %s", wanted, KubeVersion)
	}
	if err := closedSchemas(loaded); err != nil {
		return nil, err
	}
	all, err := util.ToRenderValues(loaded, values, options, kubernetes)
	if err != nil {
		return nil, err
	}
	// Without a client provider `lookup` finds nothing, and without EnableDNS names have no address.
	return engine.Engine{}.RenderWithContext(context.Background(), loaded, all)
}

func capabilities() (*common.Capabilities, error) {
	version, err := common.ParseKubeVersion(KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("the version of Kubernetes that charts see: %w", err)
	}
	result := common.DefaultCapabilities.Copy()
	result.KubeVersion = *version
	return result, nil
}

func templateError(dir string, slot v1alpha1.Slot, err error) error {
	if refused := new(Error); errors.As(err, &refused) {
		return err
	}
	return refuse(v1alpha1.ReasonRenderFailed, "the chart %s cannot be rendered for slot %s: %v", dir, slot.Name, err)
}

// values merges the values files over each other, as `helm --values` does.
func (c *checkout) values(dir string, req *Request, slot v1alpha1.Slot) (map[string]any, error) {
	result := map[string]any{}
	for _, file := range req.Source.Helm.ValuesFiles {
		values, err := c.valuesFile(dir, replaceVariables(file, req, slot))
		if err != nil {
			return nil, err
		}
		result = loader.MergeMaps(result, values)
	}
	return result, nil
}

func (c *checkout) valuesFile(dir, file string) (map[string]any, error) {
	name, err := join("source.helm.valuesFiles", dir, file)
	if err != nil {
		return nil, err
	}
	content, err := c.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(v1alpha1.ReasonValuesMissing, "source.helm.valuesFiles names %s, and there is no %s in this commit; add the file, or correct the list (the variables are $(slot), $(stack) and $(release))", file, name)
	}
	if err != nil {
		return nil, err
	}
	if err := c.use(name); err != nil {
		return nil, err
	}
	values, err := loader.LoadValues(bytes.NewReader(content))
	if err != nil {
		return nil, refuse(v1alpha1.ReasonRenderFailed, "the values file %s cannot be read: %v", name, err)
	}
	return values, nil
}

func replaceVariables(text string, req *Request, slot v1alpha1.Slot) string {
	return strings.NewReplacer("$(slot)", slot.Name, "$(stack)", req.Stack, "$(release)", req.Release).Replace(text)
}

// manifests reads what the templates made, and the chart's CRDs, in the order of their names.
func manifests(loaded *chart.Chart, files map[string]string) ([]object, error) {
	for _, crd := range loaded.CRDObjects() {
		files[crd.Filename] = string(crd.File.Data)
	}
	var result []object
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, "NOTES.txt") {
			continue
		}
		objects, err := documents(name, []byte(files[name]))
		if err != nil {
			return nil, err
		}
		result = append(result, objects...)
	}
	return result, nil
}
