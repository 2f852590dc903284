package render

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// plain reads every .yaml and .yml file below the path; hidden directories are left out.
func (c *checkout) plain(dir string) ([]object, error) {
	if _, err := c.stat(path.Join(dir, "Chart.yaml")); err == nil {
		return nil, refuse(v1alpha1.ReasonRenderFailed, "source.git.path %s holds a Helm chart (Chart.yaml); set source.helm instead of source.plain", dir)
	}
	if name, err := c.kustomization(dir); err != nil || name != "" {
		return nil, errors.Join(err, refuse(v1alpha1.ReasonRenderFailed, "source.git.path %s holds a kustomization (%s); set source.kustomize instead of source.plain", dir, name))
	}
	var result []object
	size := 0
	err := c.walk(dir, skipPlain, func(name string) error {
		content, err := c.read(name)
		if err != nil {
			return err
		}
		if size += len(content); size > maxContent {
			return tooLarge("the manifests below "+dir, size, maxContent)
		}
		objects, err := documents(name, content)
		result = append(result, objects...)
		return err
	})
	return result, err
}

func skipPlain(name string, info fs.FileInfo) bool {
	if info.IsDir() {
		return strings.HasPrefix(path.Base(name), ".")
	}
	return !slices.Contains([]string{".yaml", ".yml"}, path.Ext(name))
}
