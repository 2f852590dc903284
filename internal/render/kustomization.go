package render

import (
	"path"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// elsewhere is how Kustomize knows what lies on another host: by scheme, by user, or by the one name that it knows.
var elsewhere = regexp.MustCompile(`(?i)^(git::|[a-z][a-z0-9+.-]*://|github\.com[/:]|[a-z][a-z0-9-]*@[^/]+[/:])`)

// named is what a field of a kustomization names.
type named struct {
	field string
	names []string
}

// closed refuses a kustomization that would fetch something, or inflate charts. What cannot be read is Kustomize's to say.
func (f *kustomizeFiles) closed(file string, content []byte) error {
	k := &types.Kustomization{}
	if err := k.Unmarshal(content); err != nil {
		return nil //nolint:nilerr // Kustomize reads it next, and says it better
	}
	k.FixKustomization()
	if len(k.HelmCharts) > 0 {
		return inflatesCharts(file)
	}
	for _, n := range namedBy(k) {
		for _, name := range n.names {
			if f.remote(path.Dir(file), name) {
				return remoteBase(file, n.field, name)
			}
		}
	}
	return nil
}

// remote is whether Kustomize would fetch what is named: files of the checkout go first, whatever they are called.
func (f *kustomizeFiles) remote(dir, name string) bool {
	if !elsewhere.MatchString(name) {
		return false
	}
	info, err := f.stat(path.Join(dir, name))
	return err != nil || strings.Contains(name, "://") || !info.Mode().IsRegular()
}

func namedBy(k *types.Kustomization) []named {
	result := []named{
		{"resources", k.Resources},
		{"components", k.Components},
		{"generators", k.Generators},
		{"transformers", k.Transformers},
		{"validators", k.Validators},
		{"crds", k.Crds},
		{"configurations", k.Configurations},
		{"openapi", []string{k.OpenAPI["path"]}},
	}
	for _, p := range append(append([]types.Patch{}, k.Patches...), k.PatchesJson6902...) { //nolint:staticcheck // old files have it still
		result = append(result, named{"patches", []string{p.Path}})
	}
	for _, p := range k.PatchesStrategicMerge { //nolint:staticcheck // old files have it still
		result = append(result, named{"patchesStrategicMerge", []string{string(p)}})
	}
	for _, r := range k.Replacements {
		result = append(result, named{"replacements", []string{r.Path}})
	}
	for _, g := range k.ConfigMapGenerator {
		result = append(result, sourcesOf("configMapGenerator", g.KvPairSources))
	}
	for _, g := range k.SecretGenerator {
		result = append(result, sourcesOf("secretGenerator", g.KvPairSources))
	}
	return result
}

// sourcesOf are the files of a generator; each may say the key that it is for.
func sourcesOf(field string, from types.KvPairSources) named {
	names := append([]string{}, from.EnvSources...)
	for _, file := range from.FileSources {
		names = append(names, file)
		if _, name, ok := strings.Cut(file, "="); ok {
			names = append(names, name)
		}
	}
	return named{field, names}
}
