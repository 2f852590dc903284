package render

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// web is the smallest workload, so that a case fails for nothing but its own reason.
const web = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:1}]}
`

// umbrella is a chart that renders web and what its template says besides.
func umbrella(template string) string {
	return `-- app/Chart.yaml --
{apiVersion: v2, name: app, version: 0.1.0}
-- app/templates/web.yaml --
` + web + `-- app/templates/more.yaml --
` + template + "\n"
}

func TestHelmSourcesAreRefused(t *testing.T) {
	chart := func(dependencies string) string {
		return strings.Replace(umbrella(""), "version: 0.1.0}", "version: 0.1.0, dependencies: ["+dependencies+"]}", 1)
	}
	part := "-- part/Chart.yaml --\n{apiVersion: v2, name: part, version: 0.2.0}\n"
	for name, c := range map[string]struct {
		files  string
		values []string
		reason string
		says   []string
	}{
		"no chart":               {"-- app/x --\n", nil, v1alpha1.ReasonRenderFailed, []string{"Chart.yaml", "source.plain"}},
		"broken chart":           {"-- app/Chart.yaml --\nname: [\n", nil, v1alpha1.ReasonRenderFailed, []string{"app"}},
		"library":                {"-- app/Chart.yaml --\n{apiVersion: v2, name: app, version: 0.1.0, type: library}\n", nil, v1alpha1.ReasonRenderFailed, []string{"library"}},
		"broken template":        {umbrella("{{ .Values.x"), nil, v1alpha1.ReasonRenderFailed, []string{"more.yaml", "slot blue"}},
		"required value":         {umbrella(`{{ required "set x" .Values.x }}`), nil, v1alpha1.ReasonRenderFailed, []string{"set x"}},
		"not an object":          {umbrella("a: b"), nil, v1alpha1.ReasonRenderFailed, []string{"app/templates/more.yaml"}},
		"endless include":        {umbrella(`{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}`), nil, v1alpha1.ReasonRenderFailed, []string{"nested reference"}},
		"CRD":                    {umbrella("") + "-- app/crds/x.yaml --\n{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: x}}\n", nil, v1alpha1.ReasonClusterScoped, []string{"app/crds/x.yaml"}},
		"hook":                   {umbrella("{apiVersion: batch/v1, kind: Job, metadata: {name: m, annotations: {helm.sh/hook: post-install}}}"), nil, v1alpha1.ReasonHelmHook, []string{"post-install"}},
		"kubeVersion":            {strings.Replace(umbrella(""), "version: 0.1.0", "version: 0.1.0, kubeVersion: '>=1.99'", 1), nil, v1alpha1.ReasonRenderFailed, []string{">=1.99", KubeVersion}},
		"values missing":         {umbrella(""), []string{"values-$(slot).yaml"}, v1alpha1.ReasonValuesMissing, []string{"app/values-blue.yaml", "source.helm.valuesFiles"}},
		"values outside":         {umbrella(""), []string{"../../values.yaml"}, v1alpha1.ReasonOutsideCheckout, []string{"source.helm.valuesFiles", "../../values.yaml"}},
		"values at /":            {umbrella(""), []string{"/etc/passwd"}, v1alpha1.ReasonOutsideCheckout, nil},
		"values link outside":    {umbrella("") + "-- app/v.yaml --\n-> /etc/hostname\n", []string{"v.yaml"}, v1alpha1.ReasonOutsideCheckout, []string{"app/v.yaml"}},
		"values not YAML":        {umbrella("") + "-- app/v.yaml --\n- a\n", []string{"v.yaml"}, v1alpha1.ReasonRenderFailed, []string{"app/v.yaml"}},
		"schema":                 {umbrella("") + "-- app/values.schema.json --\n{\"required\": [\"x\"]}\n", nil, v1alpha1.ReasonRenderFailed, []string{"'x'"}},
		"schema from elsewhere":  {umbrella("") + "-- app/values.schema.json --\n{\"properties\": {\"x\": {\"$ref\": \"http://192.0.2.1/x.json\"}}}\n", nil, v1alpha1.ReasonRenderFailed, []string{"http://192.0.2.1/x.json", "$defs"}},
		"schema from the disk":   {umbrella("") + "-- app/values.schema.json --\n{\"allOf\": [{\"$ref\": \"file:///etc/passwd\"}]}\n", nil, v1alpha1.ReasonRenderFailed, []string{"file:///etc/passwd"}},
		"dependency missing":     {chart("{name: part, version: 1.x, repository: 'file://../part'}"), nil, v1alpha1.ReasonDependencyMissing, []string{"part", "file://../part"}},
		"dependency outside":     {chart("{name: part, version: 1.x, repository: 'file://../../part'}"), nil, v1alpha1.ReasonOutsideCheckout, []string{"part", "app/Chart.yaml"}},
		"dependency at /":        {chart("{name: part, version: 1.x, repository: 'file:///etc'}"), nil, v1alpha1.ReasonOutsideCheckout, nil},
		"dependency link":        {chart("{name: part, version: 1.x, repository: 'file://../part'}") + "-- part --\n-> /etc\n", nil, v1alpha1.ReasonOutsideCheckout, []string{"part"}},
		"dependency version":     {chart("{name: part, version: 0.1.0, repository: 'file://../part'}") + part, nil, v1alpha1.ReasonDependencyMissing, []string{"0.1.0", "0.2.0"}},
		"dependency name":        {chart("{name: other, version: 0.1.0, repository: 'file://../part'}") + part, nil, v1alpha1.ReasonDependencyMissing, []string{"other"}},
		"dependency from afar":   {chart("{name: redis, version: 1.x, repository: 'https://charts.example.com'}"), nil, v1alpha1.ReasonDependencyMissing, []string{"redis", "https://charts.example.com", "helm dependency build app", "app/charts"}},
		"dependency from OCI":    {chart("{name: redis, version: 1.x, repository: 'oci://registry.example.com/charts'}"), nil, v1alpha1.ReasonDependencyMissing, []string{"helm dependency build"}},
		"dependency of vendored": {chart("{name: part, version: 0.x, repository: 'https://x'}") + "-- app/charts/part/Chart.yaml --\n{apiVersion: v2, name: part, version: 0.2.0, dependencies: [{name: redis, version: 1.x, repository: 'https://x'}]}\n", nil, v1alpha1.ReasonDependencyMissing, []string{"app/charts/part", "redis"}},
		"circle": {chart("{name: part, version: 0.x, repository: 'file://../part'}") +
			"-- part/Chart.yaml --\n{apiVersion: v2, name: part, version: 0.2.0, dependencies: [{name: app, version: 0.x, repository: 'file://../app'}]}\n", nil, v1alpha1.ReasonDependencyCycle, []string{"app → part → app"}},
		"template link outside": {umbrella("") + "-- app/templates/x.yaml --\n-> ../../../../etc/passwd\n", nil, v1alpha1.ReasonOutsideCheckout, []string{"app/templates/x.yaml"}},
		"slots differ":          {umbrella(`{{ if eq .Release.Namespace "shop-blue" }}{apiVersion: batch/v1, kind: Job, metadata: {name: once}, spec: {template: {}}}{{ end }}`), nil, v1alpha1.ReasonRenderFailed, []string{"Job/once", "blue", "green"}},
	} {
		t.Run(name, func(t *testing.T) {
			req := helmRequest(checkoutOf(t, c.files), "app", c.values...)
			_, err := renderAll(&req)
			wantRefusal(t, err, c.reason, c.says...)
		})
	}
}

// A schema may name a version of JSON Schema, and nothing else that its library would ask for: of the disk or of a host.
func TestSchemasFetchNothing(t *testing.T) {
	for _, name := range drafts {
		for _, address := range []string{"http://" + name, "https://" + name + "#"} {
			must(t, helmRequest(checkoutOf(t, withSchema(`{"$schema": "`+address+`"}`)), "app"))
		}
	}
	asked := 0
	host := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer host.Close()
	for _, address := range []string{
		host.URL + "/schema",
		host.URL + "/x?y=://json-schema.org/draft-07/schema",
		host.URL + "/x#://json-schema.org/draft-07/schema#",
		"file:///etc/passwd#://json-schema.org/draft-07/schema",
		"file:///proc/self/environ?://json-schema.org/",
		"http://json-schema.org/draft-03/schema#",
		"http://json-schema.org/draft-07/schema#/definitions",
		"https://json-schema.org.example.com/schema",
	} {
		for _, schema := range []string{
			`{"$schema": "` + address + `"}`,
			`{"allOf": [{"$id": "https://example.com/x", "$schema": "` + address + `"}]}`,
			`{"$defs": {"a": {"$ref": "` + address + `"}}, "properties": {"b": {"$ref": "#/$defs/a"}}}`,
		} {
			_, err := renderAll(new(helmRequest(checkoutOf(t, withSchema(schema)), "app")))
			wantRefusal(t, err, v1alpha1.ReasonRenderFailed, "values.schema.json", "refers to", address)
		}
	}
	part := func(id string) string {
		return `{"properties": {"b": {"$id": "` + id + `", "$ref": "#/$defs/a", "$defs": {"a": {}}}}}`
	}
	// What an $id names is what the schema holds already, but for addresses that the library writes in two ways.
	for _, id := range []string{host.URL + "/x", "https://example.com", "urn:example:x", "x.json", "x?y=z"} {
		must(t, helmRequest(checkoutOf(t, withSchema(part(id))), "app"))
	}
	for _, id := range []string{host.URL + "/x?", host.URL + "?#", "file:/etc/passwd", "file:///etc/passwd?#/a", "x?"} {
		_, err := renderAll(new(helmRequest(checkoutOf(t, withSchema(part(id))), "app")))
		wantRefusal(t, err, v1alpha1.ReasonRenderFailed, "values.schema.json", "refers to", id)
	}
	if asked > 0 {
		t.Errorf("the host was asked %d times", asked)
	}
}

func withSchema(schema string) string {
	return umbrella("") + "-- app/values.schema.json --\n" + schema + "\n"
}

func TestChartOverTheCapIsRefused(t *testing.T) {
	root := checkoutOf(t, umbrella(""))
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		if err := os.WriteFile(filepath.Join(root, "app", name), make([]byte, maxFile), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	req := helmRequest(root, "app")
	_, err := renderAll(&req)
	wantRefusal(t, err, v1alpha1.ReasonContentTooLarge, "app/.helmignore")
	if err := os.WriteFile(filepath.Join(root, "app", ".helmignore"), []byte("/?\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, req)
}

// data renders a ConfigMap of a chart, and returns its data by slot.
func data(t *testing.T, req Request, name string) map[string]map[string]string {
	t.Helper()
	result := map[string]map[string]string{}
	for _, slot := range must(t, req).Slots {
		for _, object := range slot.Objects {
			if object.GetKind() == "ConfigMap" && object.GetName() == name {
				result[slot.Slot], _, _ = unstructured.NestedStringMap(object.Object, "data")
			}
		}
	}
	return result
}

func TestTemplatesSeeWhatHelmShowsThem(t *testing.T) {
	req := helmRequest(checkoutOf(t, umbrella(`
apiVersion: v1
kind: ConfigMap
metadata: {name: seen}
data:
  release: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
  service: {{ .Release.Service }}
  install: {{ .Release.IsInstall | quote }}
  revision: {{ .Release.Revision | quote }}
  kubernetes: {{ .Capabilities.KubeVersion.Version }}
  policy: {{ .Capabilities.APIVersions.Has "policy/v1" | quote }}
  monitor: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" | quote }}
  lookup: {{ lookup "v1" "Namespace" "" "kube-system" | toJson | quote }}
  dns: {{ getHostByName "localhost" | quote }}
  file: {{ .Files.Get "note.md" | quote }}
  value: "{{ .Values.a }}{{ .Values.b }}{{ .Values.c }}"
`)+`-- app/note.md --
hello
-- app/values.yaml --
{a: "1", b: "1", c: "1"}
-- app/shop.yaml --
{b: "2", c: "2"}
-- app/values-blue.yaml --
{c: "3"}
-- app/values-green.yaml --
{c: "4"}
-- app/templates/NOTES.txt --
Thank you for installing {{ .Chart.Name }}.
-- app/templates/_helpers.tpl --
{{ define "x" }}{{ end }}
`), "app", "$(stack).yaml", "values-$(slot).yaml")
	want := map[string]string{
		"release": "shop", "namespace": "shop-blue", "service": "Helm", "install": "true", "revision": "1",
		"kubernetes": KubeVersion, "policy": "true", "monitor": "false", "lookup": "{}", "dns": "", "file": "hello\n", "value": "123",
	}
	got := data(t, req, "seen")
	if diff := cmp.Diff(want, got["blue"]); diff != "" {
		t.Errorf("blue (-want +got):\n%s", diff)
	}
	if got["green"]["value"] != "124" || got["green"]["namespace"] != "shop-green" {
		t.Errorf("green: %v", got["green"])
	}
	req.Source.Helm.ReleaseName = "store"
	if name := data(t, req, "seen")["blue"]["release"]; name != "store" {
		t.Errorf("want the release name store, got %s", name)
	}
}

// part is a chart that says in a ConfigMap of its own name what it was given.
func part(at, name, rest string) string {
	return "-- " + at + "/Chart.yaml --\n{apiVersion: v2, name: " + name + ", version: 0.2.0" + rest + "}\n-- " + at + `/values.yaml --
{given: default, exports: {shared: {color: red}}}
-- ` + at + `/templates/seen.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Chart.Name }}}
data: {given: {{ .Values.given }}}
`
}

func TestDependenciesAreHelms(t *testing.T) {
	root := checkoutOf(t, `-- apps/app/Chart.yaml --
apiVersion: v2
name: app
version: 0.1.0
dependencies:
- {name: one, version: 0.x, repository: "file://../../charts/one"}
- {name: one, alias: twin, version: 0.x, repository: "file://../../charts/one"}
- {name: nest, version: 0.x, repository: "file://../../charts/nest"}
- {name: idle, version: 0.x, repository: "file://../../charts/idle", condition: idle.enabled}
- {name: tagged, version: 0.x, repository: "file://../../charts/tagged", tags: [extras]}
- {name: vendored, version: 0.x, repository: "https://charts.example.com", import-values: [shared]}
- {name: packed, version: 0.x, repository: "oci://charts.example.com"}
-- apps/app/values.yaml --
{twin: {given: aliased}, idle: {enabled: false}, tags: {extras: false}, nest: {deep: {given: passed}}}
-- apps/app/templates/web.yaml --
`+web+`-- apps/app/templates/imported.yaml --
{apiVersion: v1, kind: ConfigMap, metadata: {name: imported}, data: {color: {{ .Values.color }}}}
`+part("charts/one", "one", "")+part("charts/nest", "nest", ", dependencies: [{name: deep, repository: 'file://../deep'}]")+
		part("charts/deep", "deep", "")+part("charts/idle", "idle", "")+part("charts/tagged", "tagged", "")+part("apps/app/charts/vendored", "vendored", "")+
		// What lies in charts/ of a dependency at file:// is a copy, perhaps of long ago.
		strings.ReplaceAll(part("apps/app/charts/one", "one", ""), "given: default", "given: stale"))
	pack(t, filepath.Join(root, "apps/app/charts/packed-0.2.0.tgz"), part("packed", "packed", ""))
	req := helmRequest(root, "apps/app")
	result := must(t, req)
	got := map[string]string{}
	for _, object := range result.Slots[0].Objects {
		if object.GetKind() == "ConfigMap" {
			given, _, _ := unstructured.NestedStringMap(object.Object, "data")
			got[object.GetName()] = given["given"] + given["color"]
		}
	}
	want := map[string]string{"one": "default", "nest": "default", "deep": "passed", "twin": "aliased", "vendored": "default", "packed": "default", "imported": "red"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("charts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"charts/deep", "charts/idle", "charts/nest", "charts/one", "charts/tagged"}, result.Dependencies); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
}

// pack makes a packed chart of files in txtar.
func pack(t *testing.T, name, files string) {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	root := checkoutOf(t, files)
	if err := archive.AddFS(os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	for _, close := range []func() error{archive.Close, zipped.Close} {
		if err := close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(name, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLinksInsideTheCheckoutAreFollowedAndDependedOn(t *testing.T) {
	req := helmRequest(checkoutOf(t, umbrella("{apiVersion: v1, kind: ConfigMap, metadata: {name: seen}, data: {x: {{ .Values.x }}}}")+`-- app/common.yaml --
-> ../shared/common.yaml
-- app/templates/linked --
-> ../../shared/templates
-- shared/common.yaml --
x: linked
-- shared/templates/more.yaml --
{apiVersion: v1, kind: ConfigMap, metadata: {name: linked}}
-- other/values.yaml --
x: other
`), "app", "common.yaml", "../other/values.yaml")
	if got := data(t, req, "seen")["blue"]["x"]; got != "other" {
		t.Errorf("want the value of the last file, got %q", got)
	}
	if data(t, req, "linked")["blue"] != nil {
		t.Error("the linked ConfigMap has data")
	}
	want := []string{"other/values.yaml", "shared/common.yaml", "shared/templates"}
	if diff := cmp.Diff(want, must(t, req).Dependencies); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
}

func TestCheckoutIsNotWrittenTo(t *testing.T) {
	root := checkoutOf(t, strings.Replace(umbrella(""), "version: 0.1.0}", "version: 0.1.0, dependencies: [{name: part, version: 0.x, repository: 'file://../part'}]}", 1)+part("part", "part", ""))
	before := listing(t, root)
	must(t, helmRequest(root, "app"))
	if diff := cmp.Diff(before, listing(t, root)); diff != "" {
		t.Errorf("before (-) and after (+):\n%s", diff)
	}
}

func listing(t *testing.T, root string) []string {
	t.Helper()
	var result []string
	err := filepath.Walk(root, func(name string, _ os.FileInfo, err error) error {
		result = append(result, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestRendererVersionNamesWhatRenders(t *testing.T) {
	content, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for name, module := range map[string]string{"helm": "helm.sh/helm/v4", "kustomize": "sigs.k8s.io/kustomize/api"} {
		_, version, _ := strings.Cut(RendererVersion, name+"/")
		version, _, _ = strings.Cut(version, " ")
		if !strings.Contains(string(content), module+" "+version+"\n") && !strings.Contains(string(content), module+" "+version+" ") {
			t.Errorf("RendererVersion names %s %s, and go.mod another", name, version)
		}
	}
}
