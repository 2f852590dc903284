package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

func TestPathsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		reason string
		says   []string
	}{
		"missing":                   {"apps/shop", v1alpha1.ReasonPathMissing, []string{"apps/shop", "source.git.path"}},
		"a file":                    {"web.yaml", v1alpha1.ReasonPathMissing, []string{"web.yaml", "directory"}},
		"in a file":                 {"web.yaml/x", v1alpha1.ReasonPathMissing, []string{"web.yaml/x"}},
		"outside":                   {"a/../../x", v1alpha1.ReasonOutsideCheckout, []string{"source.git.path"}},
		"absolute":                  {"/etc", v1alpha1.ReasonOutsideCheckout, []string{"source.git.path"}},
		"Git's":                     {".git", v1alpha1.ReasonOutsideCheckout, []string{".git"}},
		"a link that leads outside": {"link", v1alpha1.ReasonOutsideCheckout, []string{"link"}},
	} {
		t.Run(name, func(t *testing.T) {
			req := plainRequest(checkoutOf(t, "-- web.yaml --\n"+web+"-- .git/web.yaml --\n"+web+"-- link --\n-> /etc\n"))
			req.Path = c.path
			_, err := renderAll(&req)
			wantRefusal(t, err, c.reason, c.says...)
		})
	}
}

func TestLinksThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		files  string
		reason string
		says   string
	}{
		"to a file outside":      {"-- a.yaml --\n-> ../../../../etc/passwd\n", v1alpha1.ReasonOutsideCheckout, "a.yaml"},
		"to a directory outside": {"-- a --\n-> ../..\n", v1alpha1.ReasonOutsideCheckout, "a"},
		"to what Git keeps":      {"-- .git/config.yaml --\n" + web + "-- a.yaml --\n-> .git/config.yaml\n", v1alpha1.ReasonOutsideCheckout, "a.yaml"},
		"to nothing":             {"-- a.yaml --\n-> nowhere.yaml\n", v1alpha1.ReasonRenderFailed, "a.yaml is a symbolic link to nothing"},
		"to a directory above":   {"-- a/b --\n-> ../a\n", v1alpha1.ReasonRenderFailed, "in a circle"},
	} {
		t.Run(name, func(t *testing.T) {
			req := plainRequest(checkoutOf(t, "-- web.yaml --\n"+web+c.files))
			_, err := renderAll(&req)
			wantRefusal(t, err, c.reason, c.says)
		})
	}
}

func TestPlainYAMLIsReadBelowThePathAlone(t *testing.T) {
	object := func(name string) string {
		return "{apiVersion: v1, kind: ConfigMap, metadata: {name: " + name + "}}\n"
	}
	req := plainRequest(checkoutOf(t, "-- app/web.yaml --\n"+web+"-- app/deep/er/a.yml --\n"+object("a")+"-- app/.hidden/b.yaml --\n"+object("b")+
		"-- app/c.json --\n"+object("c")+"-- app/linked.yaml --\n-> ../shared/d.yaml\n-- shared/d.yaml --\n"+object("d")+"-- e.yaml --\n"+object("e")))
	req.Path = "app"
	result := must(t, req)
	var found []string
	for _, o := range result.Slots[0].Objects {
		found = append(found, o.GetName())
	}
	if diff := cmp.Diff([]string{"a", "d", "web"}, found); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"shared/d.yaml"}, result.Dependencies); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
}

func TestChartAsPlainYAML(t *testing.T) {
	req := plainRequest(checkoutOf(t, "-- Chart.yaml --\nname: x\n"))
	_, err := renderAll(&req)
	wantRefusal(t, err, v1alpha1.ReasonRenderFailed, "Chart.yaml", "source.helm")
}

func TestObjectsAreCanonical(t *testing.T) {
	req := plainRequest(checkoutOf(t, `-- web.yaml --
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  uid: 1c2d
  resourceVersion: "5"
  generation: 3
  creationTimestamp: 2020-01-01T00:00:00Z
  managedFields: [{manager: kubectl}]
  annotations:
spec:
  template:
    metadata: {creationTimestamp: null, labels: {app: web}}
    spec: {containers: [{name: web, image: web:1}]}
status: {replicas: 1}
-- older.yaml --
{apiVersion: v1, kind: ConfigMap, metadata: {name: z}, data: {size: "9007199254740993"}, binaryData: }
`))
	want := []map[string]any{
		{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "z", "namespace": "shop-green"}, "data": map[string]any{"size": "9007199254740993"}, "binaryData": nil},
		{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web", "namespace": "shop-green"},
			"spec": map[string]any{"template": map[string]any{
				"metadata": map[string]any{"labels": map[string]any{"app": "web"}},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": "web", "image": "web:1"}}},
			}},
		},
	}
	var got []map[string]any
	for _, o := range must(t, req).Slots[1].Objects {
		got = append(got, o.Object)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// digests renders web as it is changed, and returns the digests of the whole and of the first slot.
func digests(t *testing.T, change func(*Request), replace ...string) (whole, slot string) {
	t.Helper()
	files := strings.NewReplacer(replace...).Replace("-- a.yaml --\n" + web + `-- b.yaml --
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web}, spec: {minReplicas: 1, maxReplicas: 5}}
`)
	req := plainRequest(checkoutOf(t, files))
	if change != nil {
		change(&req)
	}
	result := must(t, req)
	return result.Digest, result.Slots[0].Digest
}

func TestDigestsAreOfContentAndNotOfSize(t *testing.T) {
	whole, slot := digests(t, nil)
	for name, c := range map[string]struct {
		change      func(*Request)
		replace     []string
		whole, slot bool
	}{
		"again":            {nil, nil, true, true},
		"other file names": {nil, []string{"a.yaml", "z.yaml"}, true, true},
		"replicas":         {nil, []string{"spec:\n  selector", "spec:\n  replicas: 7\n  selector"}, true, true},
		"HPA minimum":      {nil, []string{"minReplicas: 1", "minReplicas: 3"}, true, true},
		"HPA maximum":      {nil, []string{"maxReplicas: 5", "maxReplicas: 9"}, false, false},
		"image":            {nil, []string{"web:1", "web:2"}, false, false},
		"release":          {func(r *Request) { r.Release = "shop-2" }, nil, true, true},
		"override": {func(r *Request) {
			r.Images = []v1alpha1.ImageOverride{{Member: "web", Image: "web:1"}}
		}, nil, false, true},
		"role":       {func(r *Request) { r.Members = []v1alpha1.Member{{Name: "web", Role: v1alpha1.RoleWorker}} }, nil, false, true},
		"other slot": {func(r *Request) { r.Slots = []v1alpha1.Slot{blueGreen[0], {Name: "green", Namespace: "elsewhere"}} }, nil, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			gotWhole, gotSlot := digests(t, c.change, c.replace...)
			if (gotWhole == whole) != c.whole || (gotSlot == slot) != c.slot {
				t.Errorf("want the same whole: %v, the same slot: %v; got %v, %v", c.whole, c.slot, gotWhole == whole, gotSlot == slot)
			}
		})
	}
}

func TestSlotsThatDifferAreWarnedOf(t *testing.T) {
	config := func(data string) string {
		return umbrella("{apiVersion: v1, kind: ConfigMap, metadata: {name: seen}, data: {a: "+data+"}}") +
			"-- app/values-blue.yaml --\n{live: true, color: blue}\n-- app/values-green.yaml --\n{live: false, color: green}\n"
	}
	for name, c := range map[string]struct {
		files string
		warns bool
	}{
		"the same":              {config("x"), false},
		"their names":           {config("my-app-{{ .Values.color }}.{{ .Release.Namespace }}"), false},
		"which one is live":     {config("{{ .Values.live | quote }}"), true},
		"a random text":         {config("{{ randAlpha 20 }}"), true},
		"an object in one only": {config("x}}\n---\n{{ if .Values.live }}{apiVersion: v1, kind: ConfigMap, metadata: {name: seen-once}}{{ end }}\n# {{ quote 1 }}"), true},
	} {
		t.Run(name, func(t *testing.T) {
			warnings := must(t, helmRequest(checkoutOf(t, c.files), "app", "values-$(slot).yaml")).Warnings
			if c.warns != (len(warnings) == 1 && strings.Contains(warnings[0], "ConfigMap/seen")) || !c.warns && warnings != nil {
				t.Errorf("want a warning: %v, got %q", c.warns, warnings)
			}
		})
	}
}

// A chart that knows which slot is live renders the other at zero, which says nothing of how large a member is.
func TestMembersAreAsLargeAsAnySlotAsksFor(t *testing.T) {
	files := strings.Replace(umbrella(""), "spec:\n  selector", "spec:\n  replicas: {{ .Values.replicas }}\n  selector", 1) +
		"-- app/values-blue.yaml --\nreplicas: 0\n-- app/values-green.yaml --\nreplicas: 3\n"
	result := must(t, helmRequest(checkoutOf(t, files), "app", "values-$(slot).yaml"))
	if result.Members[0].Replicas != 3 || result.Warnings != nil {
		t.Errorf("want 3 replicas and no warning, got %d and %q", result.Members[0].Replicas, result.Warnings)
	}
}

// TestMoreObjectsThatAreRefused holds what only some ways of writing manifests bring.
func TestMoreObjectsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		object string
		reason string
		says   string
	}{
		"token":                {"{apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token, metadata: {name: x}}", v1alpha1.ReasonUnsupportedKind, "Secret/x"},
		"item of a typed list": {"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleList, items: [{metadata: {name: x}}]}", v1alpha1.ReasonClusterScoped, "ClusterRole/x"},
		"list in a list":       {"{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Node, metadata: {name: x}}]}]}", v1alpha1.ReasonClusterScoped, "item 1, item 1"},
		"annotation of Pods":   {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {template: {metadata: {annotations: {inject: true}}}}}", v1alpha1.ReasonRenderFailed, "spec.template.metadata.annotations.inject"},
		"selector":             {"{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {selector: {tier: 1}}}", v1alpha1.ReasonRenderFailed, "spec.selector.tier"},
		"Rollout":              {"{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: x}}", v1alpha1.ReasonUnsupportedKind, "Rollout/x"},
		"kustomization":        {"{apiVersion: kustomize.config.k8s.io/v1beta1, kind: Kustomization, metadata: {name: x}}", v1alpha1.ReasonUnsupportedKind, "source.kustomize"},
	} {
		t.Run(name, func(t *testing.T) {
			req := plainRequest(checkoutOf(t, "-- web.yaml --\n"+web+"-- x.yaml --\n"+c.object+"\n"))
			_, err := renderAll(&req)
			wantRefusal(t, err, c.reason, c.says)
		})
	}
}
