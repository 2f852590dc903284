package render

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func kustomizeRequest(root, path, overlay string) Request {
	req := plainRequest(root)
	req.Path = path
	req.Source = v1alpha1.Source{Kustomize: &v1alpha1.KustomizeSource{Path: overlay}}
	return req
}

// layered is a base and an overlay per slot.
const layered = `-- app/base/kustomization.yaml --
resources: [web.yaml]
configMapGenerator: [{name: settings, literals: [colour=none], files: [motd=files/motd.txt]}]
-- app/base/files/motd.txt --
hello
-- app/base/web.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:1, envFrom: [{configMapRef: {name: settings}}]}]}
-- app/overlays/blue/kustomization.yaml --
resources: [../../base]
images: [{name: web, newTag: "2"}]
configMapGenerator: [{name: settings, behavior: merge, literals: [colour=blue]}]
-- app/overlays/green/kustomization.yaml --
resources: [../../base]
images: [{name: web, newTag: "2"}]
configMapGenerator: [{name: settings, behavior: merge, literals: [colour=green]}]
`

func objectOf(t *testing.T, slot SlotResult, kind string) *unstructured.Unstructured {
	t.Helper()
	for _, o := range slot.Objects {
		if o.GetKind() == kind {
			return o
		}
	}
	t.Fatalf("there is no %s in slot %s", kind, slot.Slot)
	return nil
}

// Names of generated objects end in a hash of their content, and what refers to them follows.
func TestKustomizeOverlayPerSlot(t *testing.T) {
	result := must(t, kustomizeRequest(checkoutOf(t, layered), "app", "overlays/$(slot)"))
	names := map[string]bool{}
	for _, slot := range result.Slots {
		settings, web := objectOf(t, slot, "ConfigMap"), objectOf(t, slot, "Deployment")
		if colour, _, _ := unstructured.NestedString(settings.Object, "data", "colour"); colour != slot.Slot {
			t.Errorf("slot %s has colour %s", slot.Slot, colour)
		}
		container := containersOf(podSpec(web))[0]
		from := container["envFrom"].([]any)[0].(map[string]any)["configMapRef"].(map[string]any)["name"]
		if name := settings.GetName(); from != name || !strings.HasPrefix(name, "settings-") || names[name] {
			t.Errorf("slot %s: the ConfigMap is %s, and %v is referred to", slot.Slot, name, from)
		}
		names[settings.GetName()] = true
		if container["image"] != "web:2" || settings.GetNamespace() != "shop-"+slot.Slot {
			t.Errorf("slot %s: image %v, namespace %s", slot.Slot, container["image"], settings.GetNamespace())
		}
	}
	if result.Dependencies != nil {
		t.Errorf("everything lies below the path, and dependencies are %q", result.Dependencies)
	}
}

func TestKustomizeInAChild(t *testing.T) {
	req := kustomizeRequest(checkoutOf(t, layered), "app", "overlays/$(slot)")
	fromChild, err := Run(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(must(t, req), fromChild); diff != "" {
		t.Errorf("in this process (-) and in a child (+):\n%s", diff)
	}
}

// What an overlay takes from outside source.git.path is found: a commit that changes it is one of the stack.
func TestKustomizeDependencies(t *testing.T) {
	for name, c := range map[string]struct {
		files string
		want  []string
	}{
		"a base": {"-- app/kustomization.yaml --\nresources: [../base]\n-- base/kustomization.yaml --\nresources: [web.yaml]\n-- base/web.yaml --\n" + web, []string{"base"}},
		"a base of a base": {
			"-- app/kustomization.yaml --\nresources: [../base]\n-- base/kustomization.yml --\nresources: [../more/web]\n-- more/web/Kustomization --\nresources: [web.yaml]\n-- more/web/web.yaml --\n" + web,
			[]string{"base", "more/web"},
		},
		"a component": {
			"-- app/kustomization.yaml --\nresources: [web.yaml]\ncomponents: [../part]\n-- app/web.yaml --\n" + web + "-- part/kustomization.yaml --\nkind: Component\nlabels: [{pairs: {a: b}}]\n",
			[]string{"part"},
		},
		"files": {
			"-- app/kustomization.yaml --\nresources: [../common/web.yaml]\npatches: [{path: ../common/patch.yaml}]\nconfigMapGenerator: [{name: a, files: [../data/a.txt], envs: [../data/b.env]}]\n" +
				"-- common/web.yaml --\n" + web + "-- common/patch.yaml --\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 2}}\n-- data/a.txt --\na\n-- data/b.env --\nb=c\n",
			[]string{"common/patch.yaml", "common/web.yaml", "data/a.txt", "data/b.env"},
		},
		"a base behind a link": {
			"-- app/kustomization.yaml --\nresources: [../current]\n-- current --\n-> versions/1\n-- versions/1/kustomization.yaml --\nresources: [web.yaml]\n-- versions/1/web.yaml --\n" + web,
			[]string{"current", "versions/1"},
		},
		"a file behind a link": {
			"-- app/kustomization.yaml --\nresources: [web.yaml]\n-- app/web.yaml --\n-> ../data/web.yaml\n-- data/web.yaml --\n" + web,
			[]string{"data/web.yaml"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			req := kustomizeRequest(checkoutOf(t, c.files), "app", ".")
			if diff := cmp.Diff(c.want, must(t, req).Dependencies); diff != "" {
				t.Errorf("rendering (-want +got):\n%s", diff)
			}
			got, err := Dependencies(t.Context(), req)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("looking (-want +got), %v:\n%s", err, diff)
			}
		})
	}
}

func TestKustomizeSourcesAreRefused(t *testing.T) {
	app := func(kustomization string) string { return "-- app/kustomization.yaml --\n" + kustomization + "\n" }
	remote := []string{"app/kustomization.yaml", "another host", "vendor"}
	for name, c := range map[string]struct {
		files   string
		overlay string
		reason  string
		says    []string
	}{
		"no kustomization":      {"-- app/web.yaml --\n" + web, "", v1alpha1.ReasonRenderFailed, []string{"app holds no kustomization.yaml", "source.plain"}},
		"no overlay":            {layered, "overlays/$(slot)-eu", v1alpha1.ReasonPathMissing, []string{"app/overlays/blue-eu", "source.kustomize.path", "$(slot)"}},
		"overlay without one":   {layered, "overlays", v1alpha1.ReasonRenderFailed, []string{"app/overlays holds no kustomization.yaml"}},
		"overlay outside":       {layered, "../../other", v1alpha1.ReasonOutsideCheckout, []string{"source.kustomize.path", "../../other"}},
		"base missing":          {app("resources: [../base]"), "", v1alpha1.ReasonRenderFailed, []string{"base", "slot blue"}},
		"base empty":            {app("resources: [base]") + "-- app/base/x --\n", "", v1alpha1.ReasonRenderFailed, []string{"app/base", "kustomization.yaml"}},
		"not YAML":              {app("resources: ["), "", v1alpha1.ReasonRenderFailed, []string{"app"}},
		"misspelt":              {app("resource: [a]"), "", v1alpha1.ReasonRenderFailed, []string{"resource"}},
		"base outside":          {app("resources: [../../base]"), "", v1alpha1.ReasonOutsideCheckout, []string{"/base", "outside the repository"}},
		"base outside and in":   {app("resources: [../../checkout/app/base]"), "", v1alpha1.ReasonRenderFailed, nil},
		"base far outside":      {app("resources: [../../../../../../../etc]"), "", v1alpha1.ReasonOutsideCheckout, []string{"/etc"}},
		"base at /":             {app("resources: [/etc]"), "", v1alpha1.ReasonOutsideCheckout, []string{"/etc"}},
		"base link outside":     {app("resources: [base]") + "-- app/base --\n-> /etc\n", "", v1alpha1.ReasonOutsideCheckout, []string{"app/base", "symbolic link"}},
		"base in .git":          {app("resources: [../.git/base]") + "-- .git/base/kustomization.yaml --\nnamePrefix: a\n", "", v1alpha1.ReasonOutsideCheckout, []string{".git"}},
		"base behind .git":      {app("resources: [../base]") + "-- .git/base/kustomization.yaml --\nnamePrefix: a\n-- base --\n-> .git/base\n", "", v1alpha1.ReasonOutsideCheckout, []string{"base"}},
		"file outside":          {app("configMapGenerator: [{name: a, files: [../../secret]}]"), "", v1alpha1.ReasonOutsideCheckout, []string{"/secret"}},
		"file at /":             {app("secretGenerator: [{name: a, files: [/etc/passwd]}]"), "", v1alpha1.ReasonOutsideCheckout, []string{"/etc/passwd"}},
		"file link outside":     {app("configMapGenerator: [{name: a, files: [motd]}]") + "-- app/motd --\n-> ../../../../../etc/hostname\n", "", v1alpha1.ReasonOutsideCheckout, []string{"app/motd"}},
		"patch outside":         {app("resources: [web.yaml]\npatches: [{path: ../../p.yaml}]") + "-- app/web.yaml --\n" + web, "", v1alpha1.ReasonOutsideCheckout, []string{"/p.yaml"}},
		"circle":                {app("resources: [../base]") + "-- base/kustomization.yaml --\nresources: [../app]\n", "", v1alpha1.ReasonDependencyCycle, []string{"base", "app"}},
		"https resource":        {app("resources: ['https://example.com/web.yaml']"), "", v1alpha1.ReasonRemoteBase, append(remote, "https://example.com/web.yaml", "resources")},
		"https base":            {app("resources: ['https://github.com/org/repo//base?ref=v1']"), "", v1alpha1.ReasonRemoteBase, remote},
		"ssh base":              {app("resources: ['ssh://git@github.com/org/repo//base']"), "", v1alpha1.ReasonRemoteBase, remote},
		"file URL":              {app("resources: ['file:///srv/repo//base']"), "", v1alpha1.ReasonRemoteBase, remote},
		"git URL":               {app("resources: ['git::https://example.com/repo']"), "", v1alpha1.ReasonRemoteBase, remote},
		"scp base":              {app("bases: ['git@example.com:org/repo.git//base']"), "", v1alpha1.ReasonRemoteBase, append(remote, "git@example.com:org/repo.git//base")},
		"github shorthand":      {app("resources: ['github.com/org/repo/base?ref=main']"), "", v1alpha1.ReasonRemoteBase, append(remote, "github.com/org/repo")},
		"base on two lines":     {app(`resources: ["https://127.0.0.1:1/org/repo\n"]`), "", v1alpha1.ReasonRemoteBase, append(remote, "org/repo")},
		"remote in a base":      {app("resources: [../base]") + "-- base/kustomization.yaml --\nresources: ['HTTPS://example.com/x']\n", "", v1alpha1.ReasonRemoteBase, []string{"base/kustomization.yaml", "vendor"}},
		"remote component":      {app("components: [github.com/org/repo/part]"), "", v1alpha1.ReasonRemoteBase, append(remote, "components")},
		"remote patch":          {app("patches: [{path: 'https://example.com/p.yaml'}]"), "", v1alpha1.ReasonRemoteBase, append(remote, "patches")},
		"remote file":           {app("configMapGenerator: [{name: a, files: ['b=https://example.com/b']}]"), "", v1alpha1.ReasonRemoteBase, append(remote, "configMapGenerator")},
		"remote env":            {app("secretGenerator: [{name: a, env: 'https://example.com/b'}]"), "", v1alpha1.ReasonRemoteBase, append(remote, "secretGenerator")},
		"remote schema":         {app("openapi: {path: 'https://example.com/b'}\nnamePrefix: a"), "", v1alpha1.ReasonRemoteBase, append(remote, "openapi")},
		"charts":                {app("helmCharts: [{name: redis, repo: 'https://charts.example.com'}]"), "", v1alpha1.ReasonRenderFailed, []string{"Helm", "helm template"}},
		"charts by a generator": {app("generators:\n- |-\n  {apiVersion: builtin, kind: HelmChartInflationGenerator, metadata: {name: redis}, name: redis}"), "", v1alpha1.ReasonRenderFailed, []string{"Helm"}},
		"a plugin":              {app("generators:\n- |-\n  {apiVersion: example.com/v1, kind: Maker, metadata: {name: a}}"), "", v1alpha1.ReasonRenderFailed, []string{"plugin", "Maker", "commit what the plugin makes"}},
		"a container": {
			app("resources: [web.yaml]\ntransformers:\n- |-\n  {apiVersion: example.com/v1, kind: Maker, metadata: {name: a, annotations: {config.kubernetes.io/function: 'container: {image: evil}'}}}") + "-- app/web.yaml --\n" + web,
			"", v1alpha1.ReasonRenderFailed,
			[]string{"plugin", "Maker"},
		},
		"a program": {
			app("resources: [web.yaml]\nvalidators:\n- |-\n  {apiVersion: example.com/v1, kind: Maker, metadata: {name: a, annotations: {config.kubernetes.io/function: 'exec: {path: ./evil}'}}}") + "-- app/web.yaml --\n" + web,
			"", v1alpha1.ReasonRenderFailed,
			[]string{"plugin", "Maker"},
		},
		"cluster-scoped": {app("resources: [x.yaml]") + "-- app/x.yaml --\n{apiVersion: v1, kind: Namespace, metadata: {name: x}}\n", "", v1alpha1.ReasonClusterScoped, []string{"Namespace/x (app)"}},
		"namespace":      {app("namespace: elsewhere\nresources: [web.yaml]") + "-- app/web.yaml --\n" + web, "", v1alpha1.ReasonForeignNamespace, []string{"elsewhere"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := renderAll(new(kustomizeRequest(checkoutOf(t, c.files), "app", c.overlay)))
			wantRefusal(t, err, c.reason, c.says...)
			if strings.Contains(err.Error(), kustomizeRoot+"/") {
				t.Errorf("a path that people do not know: %v", err)
			}
		})
	}
}

// What only the configuration of a generator or a transformer names, Kustomize finds while it builds: in the child.
func TestKustomizeFetchesNothing(t *testing.T) {
	inFile := func(field, config string) string {
		return "-- app/kustomization.yaml --\n" + field + ": [config.yaml]\n-- app/config.yaml --\n" + config + "\n"
	}
	const address = "http://127.0.0.1:1/x"
	for name, files := range map[string]string{
		"generator":       inFile("generators", `{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: a}, files: ["b=ADDRESS"]}`),
		"environment":     inFile("generators", `{apiVersion: builtin, kind: SecretGenerator, metadata: {name: a}, envs: [ADDRESS]}`),
		"inline":          "-- app/kustomization.yaml --\ngenerators:\n- |-\n  {apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: a}, files: ['b=ADDRESS']}\n",
		"patch":           inFile("transformers", `{apiVersion: builtin, kind: PatchTransformer, metadata: {name: a}, path: ADDRESS, target: {kind: Deployment}}`),
		"JSON patch":      inFile("transformers", `{apiVersion: builtin, kind: PatchJson6902Transformer, metadata: {name: a}, path: ADDRESS, target: {kind: Deployment, name: web}}`),
		"strategic patch": inFile("transformers", `{apiVersion: builtin, kind: PatchStrategicMergeTransformer, metadata: {name: a}, paths: [ADDRESS]}`),
		"replacement":     inFile("transformers", `{apiVersion: builtin, kind: ReplacementTransformer, metadata: {name: a}, replacements: [{path: ADDRESS}]}`),
		"validator":       inFile("validators", `{apiVersion: builtin, kind: ReplacementTransformer, metadata: {name: a}, replacements: [{path: ADDRESS}]}`),
		"made by a patch": "-- app/kustomization.yaml --\ngenerators: [made]\n-- app/made/kustomization.yaml --\nresources: [config.yaml]\n" +
			"patches: [{patch: '{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: a}, files: [\"b=ADDRESS\"]}'}]\n" +
			"-- app/made/config.yaml --\n{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: a}, files: [b]}\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Run(t.Context(), kustomizeRequest(checkoutOf(t, strings.ReplaceAll(files, "ADDRESS", address)), "app", ""))
			wantRefusal(t, err, v1alpha1.ReasonRemoteBase, "the kustomization app", strconv.Quote(address), "another host", "vendor")
		})
	}
}

// A base that has the name of a file is what Kustomize would clone. The child finds no program for that.
func TestKustomizeClonesNothing(t *testing.T) {
	files := "-- app/kustomization.yaml --\ncomponents: [github.com/org/repo]\n-- app/github.com/org/repo --\n"
	_, err := Run(t.Context(), kustomizeRequest(checkoutOf(t, files), "app", ""))
	wantRefusal(t, err, v1alpha1.ReasonRenderFailed, "no 'git' program")
}

func TestPlainSourceThatIsAKustomization(t *testing.T) {
	req := plainRequest(checkoutOf(t, layered))
	req.Path = "app/base"
	_, err := renderAll(&req)
	wantRefusal(t, err, v1alpha1.ReasonRenderFailed, "app/base", "kustomization.yaml", "source.kustomize")
}
