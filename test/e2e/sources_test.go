package e2e

import (
	"strings"
	"testing"
)

// TestSources releases the shop as Kustomize builds it, and then, over it, as plain YAML.
func TestSources(t *testing.T) {
	s := newShop(t, "sources", beside(t, settings{}))
	s.source("kustomize/shop", "kustomize: {path: overlays/$(slot)}")
	s.begin()
	s.run(0, "release", "shop", "--image=catalog=lockstep.dev/shop/catalog:2.0.0", "--image=frontend=lockstep.dev/shop/frontend:2.0.0", "--wait=Hold")
	s.run(0, "promote", "shop", "--wait=Live")
	kustomized := s.unit()
	s.usersSee(kustomized.LiveRelease)

	s.run(0, "retire", "shop", "--wait=Done")
	s.source("plain/shop", "plain: {}")
	s.run(0, "release", "shop", "--wait=Hold")
	s.run(0, "promote", "shop", "--wait=Live")
	s.usersSee(s.unit().LiveRelease)
	s.run(0, "rollback", "shop", "--wait=Live")
	s.usersSee(kustomized.LiveRelease)
	s.happy()
}

// source has the Stack take its content from another path, rendered in another way.
func (s *shop) source(path, rendered string) {
	s.t.Helper()
	s.must(cluster.Apply(s.ctx, strings.NewReplacer(
		"path: apps/shop", "path: "+path,
		"helm: {valuesFiles: [values.yaml, values-$(slot).yaml]}", rendered,
	).Replace(s.manifest(settings{}))))
}
