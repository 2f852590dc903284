package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/ignore"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// maxChart bounds the files of a chart.
const maxChart = 64 << 20

// loadChart loads a chart and what it depends on. Helm's own loader follows symbolic links wherever they lead, and knows
// dependencies only once they have been copied into charts/, so the files are gathered here.
func (c *checkout) loadChart(dir string) (*chart.Chart, error) {
	return (&charts{checkout: c}).load(dir)
}

// charts loads charts recursively; trail are those that are being loaded.
type charts struct {
	*checkout
	trail []string
}

func (l *charts) load(dir string) (*chart.Chart, error) {
	if slices.Contains(l.trail, dir) {
		return nil, refuse(v1alpha1.ReasonDependencyCycle, "charts depend on each other in a circle: %s; remove one of the dependencies", strings.Join(append(l.trail, dir), " → "))
	}
	files, err := l.files(dir)
	if err != nil {
		return nil, err
	}
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return nil, refuse(v1alpha1.ReasonRenderFailed, "the chart %s cannot be loaded: %v", dir, err)
	}
	l.trail = append(l.trail, dir)
	defer func() { l.trail = l.trail[:len(l.trail)-1] }()
	return loaded, l.addDependencies(loaded, dir)
}

func (l *charts) files(dir string) ([]*archive.BufferedFile, error) {
	rules, err := l.ignored(dir)
	if err != nil {
		return nil, err
	}
	var result []*archive.BufferedFile
	size := 0
	err = l.walk(dir, rules.Ignore, func(name string) error {
		content, err := l.read(name)
		if err != nil {
			return err
		}
		if size += len(content); size > maxChart {
			return refuse(v1alpha1.ReasonContentTooLarge, "the chart %s has more than %d MiB of files; list what it does not need in %s/.helmignore", dir, maxChart>>20, dir)
		}
		relative, err := filepath.Rel(dir, name)
		content = bytes.TrimPrefix(content, []byte("\ufeff"))
		result = append(result, &archive.BufferedFile{Name: filepath.ToSlash(relative), Data: content})
		return err
	})
	return result, err
}

func (l *charts) ignored(dir string) (*ignore.Rules, error) {
	name := path.Join(dir, ignore.HelmIgnore)
	content, err := l.read(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	rules, err := ignore.Parse(bytes.NewReader(content))
	if err != nil {
		return nil, refuse(v1alpha1.ReasonRenderFailed, "%s cannot be read: %v", name, err)
	}
	rules.AddDefaults()
	return rules, nil
}

// addDependencies takes what is at file:// from the checkout, whatever copy of it lies in charts/, and makes sure that
// all else is there: Helm silently leaves out what it does not find.
func (l *charts) addDependencies(parent *chart.Chart, dir string) error {
	local := map[string]string{}
	for _, dependency := range parent.Metadata.Dependencies {
		if relative, ok := strings.CutPrefix(dependency.Repository, "file://"); ok {
			at, err := l.locate(dependency, dir, relative)
			if err != nil {
				return err
			}
			local[at] = dependency.Name
		}
	}
	dropVendored(parent, local)
	for _, at := range slices.Sorted(maps.Keys(local)) {
		loaded, err := l.load(at)
		if err != nil {
			return err
		}
		parent.AddDependency(loaded)
	}
	return l.complete(parent, dir)
}

func (l *charts) locate(dependency *chart.Dependency, dir, relative string) (string, error) {
	at, err := join("the dependency "+dependency.Name+" in "+path.Join(dir, "Chart.yaml"), dir, relative)
	if err != nil {
		return "", err
	}
	_, err = l.stat(path.Join(at, "Chart.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", refuse(v1alpha1.ReasonDependencyMissing, "%s/Chart.yaml depends on %s at %s, and there is no chart in %s in this commit; add it, or correct the dependency", dir, dependency.Name, dependency.Repository, at)
	}
	if err != nil {
		return "", err
	}
	return at, l.use(at)
}

func dropVendored(parent *chart.Chart, local map[string]string) {
	names := slices.Collect(maps.Values(local))
	parent.SetDependencies(slices.DeleteFunc(slices.Clone(parent.Dependencies()), func(c *chart.Chart) bool {
		return slices.Contains(names, c.Name())
	})...)
}

func (l *charts) complete(parent *chart.Chart, dir string) error {
	for _, dependency := range parent.Metadata.Dependencies {
		if err := complete(parent, dependency, dir); err != nil {
			return err
		}
	}
	for _, vendored := range parent.Dependencies() {
		if err := l.complete(vendored, path.Join(dir, "charts", vendored.Name())); err != nil {
			return err
		}
	}
	return nil
}

func complete(parent *chart.Chart, dependency *chart.Dependency, dir string) error {
	var versions []string
	for _, have := range parent.Dependencies() {
		if have.Name() != dependency.Name {
			continue
		}
		if dependency.Version == "" {
			dependency.Version = have.Metadata.Version
		}
		if chartutil.IsCompatibleRange(dependency.Version, have.Metadata.Version) {
			return nil
		}
		versions = append(versions, have.Metadata.Version)
	}
	if versions != nil {
		return refuse(v1alpha1.ReasonDependencyMissing, "%s/Chart.yaml asks for version %s of %s, and the chart there has version %s; make them agree", dir, dependency.Version, dependency.Name, strings.Join(versions, ", "))
	}
	return refuse(v1alpha1.ReasonDependencyMissing, "%s/Chart.yaml depends on %s from %q, which is not in %s/charts; charts are not downloaded while a release is rendered: run `helm dependency build %s` and commit %s/charts", dir, dependency.Name, dependency.Repository, dir, dir, dir)
}

// closedSchemas refuses schemas of values that would be fetched from somewhere while they are checked.
func closedSchemas(c *chart.Chart) error {
	if len(c.Schema) > 0 {
		var schema any
		if err := json.Unmarshal(c.Schema, &schema); err != nil {
			return refuse(v1alpha1.ReasonRenderFailed, "values.schema.json of chart %s is not valid JSON: %v", c.Name(), err)
		}
		if at := openReference(schema); at != "" {
			return refuse(v1alpha1.ReasonRenderFailed, "values.schema.json of chart %s refers to %q; nothing is fetched while a release is rendered: copy it into the schema, under $defs", c.Name(), at)
		}
	}
	for _, dependency := range c.Dependencies() {
		if err := closedSchemas(dependency); err != nil {
			return err
		}
	}
	return nil
}

// openReference finds a reference to another document; empty where there is none.
func openReference(schema any) string {
	switch node := schema.(type) {
	case map[string]any:
		for name, value := range node {
			if text, ok := value.(string); ok && opens(name, text) {
				return text
			}
			if at := openReference(value); at != "" {
				return at
			}
		}
	case []any:
		for _, value := range node {
			if at := openReference(value); at != "" {
				return at
			}
		}
	}
	return ""
}

func opens(keyword, value string) bool {
	switch keyword {
	case "$ref", "$dynamicRef", "$recursiveRef":
		return !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "urn:")
	case "$schema":
		return !draft(value)
	case "$id", "id":
		return !stable(value)
	}
	return false
}

// drafts are the versions of JSON Schema that Helm's library holds. It would ask for any other, on the disk too.
var drafts = []string{
	"json-schema.org/schema",
	"json-schema.org/draft/2020-12/schema",
	"json-schema.org/draft/2019-09/schema",
	"json-schema.org/draft-07/schema",
	"json-schema.org/draft-06/schema",
	"json-schema.org/draft-04/schema",
}

func draft(address string) bool {
	scheme, name, _ := strings.Cut(strings.TrimSuffix(address, "#"), "://")
	return (scheme == "http" || scheme == "https") && slices.Contains(drafts, name)
}

// stable is whether the library writes the address of a schema in one way. It would take what refers to a part of the
// schema ("#/$defs/a") for another document where it does not: it drops an empty query, and writes file:/a as file:///a.
func stable(address string) bool {
	whole, _, _ := strings.Cut(address, "#")
	parsed, err := url.Parse(whole)
	return err != nil || !parsed.ForceQuery && !parsed.OmitHost
}
