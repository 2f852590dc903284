package render

import (
	"errors"
	"io/fs"
	"net/url"
	"path"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// kustomize builds the kustomization of a slot, as `kustomize build` does, but that files may come from anywhere in the
// checkout: what must not be read lies outside it, and is refused by the file system.
func (c *checkout) kustomize(dir string, req *Request, slot v1alpha1.Slot) ([]object, error) {
	at, err := c.overlay(dir, req, slot)
	if err != nil {
		return nil, err
	}
	files := &kustomizeFiles{checkout: c}
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone
	built, err := krusty.MakeKustomizer(options).Run(files, files.absolute(at))
	// Kustomize goes on after some refusals, and words others as if a file were missing.
	if files.refused != nil {
		return nil, files.refused
	}
	if err != nil {
		return nil, kustomizeError(at, slot, err)
	}
	return builtObjects(at, built, req.Limits.withDefaults().Output)
}

// overlay finds the kustomization of a slot.
func (c *checkout) overlay(dir string, req *Request, slot v1alpha1.Slot) (string, error) {
	relative := replaceVariables(req.Source.Kustomize.Path, req, slot)
	at, err := join("source.kustomize.path", dir, relative)
	if err != nil {
		return "", err
	}
	name, err := c.kustomization(at)
	if err != nil {
		return "", err
	}
	if name != "" {
		return at, nil
	}
	if _, err := c.stat(at); errors.Is(err, fs.ErrNotExist) {
		return "", refuse(v1alpha1.ReasonPathMissing, "there is no %s in the repository at this commit, which source.kustomize.path names for slot %s; add it, or correct the path (the variables are $(slot), $(stack) and $(release))", at, slot.Name)
	}
	return "", refuse(v1alpha1.ReasonRenderFailed, "%s holds no kustomization.yaml; correct source.git.path and source.kustomize.path, or set source.plain instead of source.kustomize", at)
}

// kustomization is the name of the file that makes a directory one; empty where there is none.
func (c *checkout) kustomization(dir string) (string, error) {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		_, err := c.stat(path.Join(dir, name))
		if err == nil {
			return name, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", nil
}

// builtObjects reads what was built. It is bounded as what templates print is.
func builtObjects(at string, built resmap.ResMap, limit int64) ([]object, error) {
	var result []object
	size := 0
	for _, resource := range built.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			return nil, refuse(v1alpha1.ReasonRenderFailed, "%s of %s cannot be written as YAML: %v", resource.CurId(), at, err)
		}
		if size += len(text); int64(size) > limit {
			return nil, tooLarge("what is built from "+at, size, int(limit))
		}
		objects, err := documents(at, text)
		if err != nil {
			return nil, err
		}
		result = append(result, objects...)
	}
	return result, nil
}

// kustomizeError words what Kustomize says: it names files by where they lie in its file system.
func kustomizeError(at string, slot v1alpha1.Slot, err error) error {
	text := strings.ReplaceAll(err.Error(), kustomizeRoot+"/", "")
	switch request, fetches := errors.AsType[*url.Error](err); {
	case fetches && errors.Is(err, errOffline):
		return remoteBase("the kustomization "+at, "generators, transformers or validators", request.URL)
	case strings.Contains(text, "cycle detected"):
		return refuse(v1alpha1.ReasonDependencyCycle, "the kustomization %s cannot be built for slot %s: bases lead back to what uses them; remove one of the references: %s", at, slot.Name, text)
	case strings.Contains(text, "--enable-helm"):
		return inflatesCharts(at)
	case strings.Contains(text, "external plugins disabled"):
		return refuse(v1alpha1.ReasonRenderFailed, "the kustomization %s uses a plugin that is a program or a container; nothing of a repository is run while a release is rendered: commit what the plugin makes, and name that under resources (%s)", at, text)
	}
	return refuse(v1alpha1.ReasonRenderFailed, "the kustomization %s cannot be built for slot %s: %s", at, slot.Name, text)
}

func inflatesCharts(at string) error {
	return refuse(v1alpha1.ReasonRenderFailed, "the kustomization %s inflates Helm charts, which needs the helm program and often a network; set source.helm for a chart, or commit what `helm template` prints, and name that under resources", at)
}

func remoteBase(file, field, name string) error {
	return refuse(v1alpha1.ReasonRemoteBase, "%s names %q under %s, which lies on another host; nothing is fetched while a release is rendered: copy it into the repository (vendor it), and name it by a relative path", file, name, field)
}
