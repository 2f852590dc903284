package shop_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	chartcommon "helm.sh/helm/v4/pkg/chart/common"
	chartutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

const umbrella = "repo/apps/shop"

var members = []string{"cart", "catalog", "frontend", "ledger"}

// stack is what the shop consists of, by name.
type stack struct {
	Deployments map[string]appsv1.Deployment
	Services    map[string]corev1.Service
}

func newStack() stack {
	return stack{Deployments: map[string]appsv1.Deployment{}, Services: map[string]corev1.Service{}}
}

// add decodes strictly, so that a misspelt field fails.
func (s stack) add(t *testing.T, manifests string) {
	t.Helper()
	documents := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(manifests)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		s.addDocument(t, document)
	}
}

func (s stack) addDocument(t *testing.T, document []byte) {
	t.Helper()
	var kind struct{ Kind string }
	if err := sigsyaml.Unmarshal(document, &kind); err != nil {
		t.Fatalf("%v in\n%s", err, document)
	}
	switch kind.Kind {
	case "Deployment":
		d := decode[appsv1.Deployment](t, document)
		s.Deployments[d.Name] = d
	case "Service":
		service := decode[corev1.Service](t, document)
		s.Services[service.Name] = service
	default:
		t.Fatalf("kind %q in\n%s", kind.Kind, document)
	}
}

func decode[T any](t *testing.T, document []byte) T {
	t.Helper()
	var object T
	if err := sigsyaml.UnmarshalStrict(document, &object); err != nil {
		t.Fatalf("%v in\n%s", err, document)
	}
	return object
}

func plain(t *testing.T) stack {
	t.Helper()
	s := newStack()
	files, err := filepath.Glob("repo/plain/shop/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s.add(t, string(content))
	}
	return s
}

func rendered(t *testing.T, overrides map[string]any, valuesFiles ...string) stack {
	t.Helper()
	shop := loadUmbrella(t)
	values := map[string]any{}
	for _, file := range valuesFiles {
		values = loader.MergeMaps(values, readValues(t, file))
	}
	values = loader.MergeMaps(values, overrides)
	render, err := chartutil.ToRenderValues(shop, values, chartcommon.ReleaseOptions{Name: "shop"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := engine.Render(shop, render)
	if err != nil {
		t.Fatal(err)
	}
	s := newStack()
	for _, manifest := range manifests {
		s.add(t, manifest)
	}
	return s
}

func loadUmbrella(t *testing.T) *chart.Chart {
	t.Helper()
	shop := loadChart(t, umbrella)
	for _, dependency := range shop.Metadata.Dependencies {
		path := strings.TrimPrefix(dependency.Repository, "file://")
		shop.AddDependency(loadChart(t, filepath.Join(umbrella, path)))
	}
	return shop
}

func loadChart(t *testing.T, path string) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func readValues(t *testing.T, file string) map[string]any {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(umbrella, file))
	if err != nil {
		t.Fatal(err)
	}
	return decode[map[string]any](t, content)
}

func TestChartsAndPlainYAMLAreTheSameStack(t *testing.T) {
	want := plain(t)
	for _, slot := range []string{"blue", "green"} {
		got := rendered(t, nil, "values.yaml", "values-"+slot+".yaml")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("plain (-) and %s (+) differ:\n%s", slot, diff)
		}
	}
}

// built is what `kustomize build` makes of the overlay of a slot.
func built(t *testing.T, slot string) stack {
	t.Helper()
	options := krusty.MakeDefaultOptions()
	objects, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), "repo/kustomize/shop/overlays/"+slot)
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := objects.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	s := newStack()
	s.add(t, string(manifests))
	return s
}

func TestKustomizeAndPlainYAMLAreTheSameStack(t *testing.T) {
	want := plain(t)
	for _, slot := range []string{"blue", "green"} {
		if diff := cmp.Diff(want, built(t, slot)); diff != "" {
			t.Errorf("plain (-) and %s (+) differ:\n%s", slot, diff)
		}
	}
}

func TestStackIsComplete(t *testing.T) {
	s := plain(t)
	for _, member := range members {
		if _, ok := s.Deployments[member]; !ok {
			t.Errorf("no Deployment %s", member)
		}
		if _, ok := s.Services[member]; ok == (member == "ledger") {
			t.Errorf("Service %s: %v", member, ok)
		}
	}
}

func TestZeroReplicasStopsEveryMember(t *testing.T) {
	zero := map[string]any{"global": map[string]any{"replicas": 0}}
	for name, d := range rendered(t, zero, "values.yaml", "values-blue.yaml").Deployments {
		if *d.Spec.Replicas != 0 {
			t.Errorf("%s has %d replicas", name, *d.Spec.Replicas)
		}
	}
}

func TestFaultsReachTheMember(t *testing.T) {
	fault := map[string]any{"cart": map[string]any{"env": map[string]any{"FAIL_READY": "true"}}}
	cart := rendered(t, fault, "values.yaml").Deployments["cart"]
	if !slices.Contains(cart.Spec.Template.Spec.Containers[0].Env, corev1.EnvVar{Name: "FAIL_READY", Value: "true"}) {
		t.Error("FAIL_READY is not set")
	}
}

func TestStackIsValid(t *testing.T) {
	content, err := os.ReadFile("stack.yaml")
	if err != nil {
		t.Fatal(err)
	}
	decode[v1alpha1.Stack](t, content)
}

// Namespaces in which the shop runs may enforce the restricted Pod Security Standard.
func TestPodsAreRestricted(t *testing.T) {
	for name, d := range plain(t).Deployments {
		pod := d.Spec.Template.Spec
		container := pod.Containers[0].SecurityContext
		ok := *pod.SecurityContext.RunAsNonRoot &&
			pod.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault &&
			!*container.AllowPrivilegeEscalation &&
			slices.Contains(container.Capabilities.Drop, "ALL")
		if !ok {
			t.Errorf("%s is not restricted", name)
		}
	}
}
