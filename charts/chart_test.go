// Package charts_test holds the chart to what `kubectl lockstep install` applies.
package charts_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/testkit/chart"
)

const dir = "lockstep"

func render(t *testing.T, namespace, values string) map[string]*unstructured.Unstructured {
	t.Helper()
	objects, err := chart.Render(dir, namespace, values)
	if err != nil {
		t.Fatal(err)
	}
	return byName(t, objects)
}

func byName(t *testing.T, objects []*unstructured.Unstructured) map[string]*unstructured.Unstructured {
	t.Helper()
	all := map[string]*unstructured.Unstructured{}
	for _, o := range objects {
		name := o.GetKind() + " " + strings.TrimPrefix(o.GetNamespace()+"/"+o.GetName(), "/")
		if all[name] != nil {
			t.Errorf("%s is there twice", name)
		}
		all[name] = o
	}
	return all
}

// TestTheChartIsWhatInstallApplies: with its default values, object by object. What differs is listed here.
func TestTheChartIsWhatInstallApplies(t *testing.T) {
	objects, err := config.Objects(config.Options{Version: "dev"}) // the chart's appVersion
	if err != nil {
		t.Fatal(err)
	}
	want, got := byName(t, objects), render(t, config.Namespace, "")
	delete(want, "Namespace lockstep-system")                              // Helm makes it, or whoever calls Helm
	delete(got, "PodDisruptionBudget lockstep-system/lockstep-controller") // of two replicas, one stays
	deployment := got["Deployment lockstep-system/lockstep-controller"]
	if n, _, _ := unstructured.NestedFieldNoCopy(deployment.Object, "spec", "replicas"); n != int64(2) {
		t.Errorf("%v replicas by default, want 2", n)
	}
	if err := unstructured.SetNestedField(deployment.Object, int64(1), "spec", "replicas"); err != nil {
		t.Fatal(err)
	}
	for name, o := range got {
		withoutHelm(t, name, o)
		if want[name] == nil {
			t.Errorf("the chart has %s, and install has not", name)
		}
	}
	for name, o := range want {
		if got[name] == nil {
			t.Errorf("install applies %s, and the chart has it not", name)
			continue
		}
		if diff := cmp.Diff(o.Object, got[name].Object); diff != "" {
			t.Errorf("%s (-install +chart):\n%s", name, diff)
		}
	}
}

// withoutHelm takes off what tells that an object is of a chart.
func withoutHelm(t *testing.T, name string, o *unstructured.Unstructured) {
	t.Helper()
	labels, annotations := o.GetLabels(), o.GetAnnotations()
	for _, key := range []string{"helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance"} {
		if labels[key] == "" {
			t.Errorf("%s has no label %s", name, key)
		}
		delete(labels, key)
	}
	if keep := annotations["helm.sh/resource-policy"] == "keep"; keep != (o.GetKind() == "CustomResourceDefinition") {
		t.Errorf("%s: kept when the chart is uninstalled: %v", name, keep)
	}
	delete(annotations, "helm.sh/resource-policy")
	if len(labels) == 0 {
		labels = nil
	}
	o.SetLabels(labels)
	if len(annotations) == 0 {
		annotations = nil
	}
	o.SetAnnotations(annotations)
}

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// TestValues: what a value is for is where it belongs, in the namespace of the installation.
func TestValues(t *testing.T) {
	got := render(t, "ops", `
image: {registry: registry.example.com/mirror/, digest: "`+digest+`", pullPolicy: Always, pullSecrets: [mirror]}
replicas: 3
resources: {limits: {memory: 2Gi}}
goMemoryLimit: 1GiB
workDirSize: 5Gi
nodeSelector: {disk: ssd}
tolerations: [{key: infra, operator: Exists}]
affinity: {podAntiAffinity: {}}
topologySpreadConstraints: [{maxSkew: 1}]
priorityClassName: system-cluster-critical
extraLabels: {team: ops}
podLabels: {sidecar: "no"}
podAnnotations: {note: hello}
serviceAccount: {annotations: {role: lockstep}}
logLevel: debug
extraArgs: [--stacks-at-once=4]
podDisruptionBudget: {minAvailable: 50%}
serviceMonitor: {enabled: true, interval: 10s, labels: {release: prometheus}}
`)
	deployment := got["Deployment ops/lockstep-controller"]
	container := containers(t, deployment)[0]
	args, _ := container["args"].([]any)
	for _, arg := range []any{"--log-level=debug", "--stacks-at-once=4", "--leader-elect"} {
		if !slices.Contains(args, arg) {
			t.Errorf("%s is not among the controller's arguments %v", arg, args)
		}
	}
	pod := "spec.template.spec."
	for _, c := range []struct {
		object *unstructured.Unstructured
		path   string
		want   any
	}{
		{deployment, "spec.replicas", int64(3)},
		{deployment, pod + "nodeSelector.disk", "ssd"},
		{deployment, pod + "tolerations", []any{map[string]any{"key": "infra", "operator": "Exists"}}},
		{deployment, pod + "affinity.podAntiAffinity", map[string]any{}},
		{deployment, pod + "topologySpreadConstraints", []any{map[string]any{"maxSkew": int64(1)}}},
		{deployment, pod + "priorityClassName", "system-cluster-critical"},
		{deployment, pod + "imagePullSecrets", []any{map[string]any{"name": "mirror"}}},
		{deployment, pod + "volumes", []any{map[string]any{"name": "tmp", "emptyDir": map[string]any{"sizeLimit": "5Gi"}}}},
		{deployment, "spec.template.metadata.labels.team", "ops"},
		{deployment, "spec.template.metadata.labels.sidecar", "no"},
		{deployment, "spec.template.metadata.annotations.note", "hello"},
		{&unstructured.Unstructured{Object: container}, "image", "registry.example.com/mirror/controller@" + digest},
		{&unstructured.Unstructured{Object: container}, "imagePullPolicy", "Always"},
		{&unstructured.Unstructured{Object: container}, "resources.limits.memory", "2Gi"},
		{got["ServiceAccount ops/lockstep-controller"], "metadata.annotations.role", "lockstep"},
		{got["PodDisruptionBudget ops/lockstep-controller"], "spec.minAvailable", "50%"},
		{got["ServiceMonitor ops/lockstep-controller"], "metadata.labels.release", "prometheus"},
		{got["Service ops/lockstep-controller-metrics"], "spec.selector", map[string]any{"app.kubernetes.io/name": "lockstep", "app.kubernetes.io/component": "controller"}},
		{got["ClusterRoleBinding lockstep-controller"], "subjects", []any{map[string]any{"kind": "ServiceAccount", "name": "lockstep-controller", "namespace": "ops"}}},
	} {
		if c.object == nil {
			t.Errorf("the object with %s is missing", c.path)
			continue
		}
		value, _, err := unstructured.NestedFieldNoCopy(c.object.Object, strings.Split(c.path, ".")...)
		if diff := cmp.Diff(c.want, value); err != nil || diff != "" {
			t.Errorf("%s of %s: %v (-want +got):\n%s", c.path, c.object.GetKind(), err, diff)
		}
	}
	for name, o := range got {
		if o.GetLabels()["team"] != "ops" {
			t.Errorf("%s does not carry the extra label", name)
		}
		if ns := o.GetNamespace(); ns != "" && ns != "ops" {
			t.Errorf("%s is in another namespace", name)
		}
	}
}

// TestStringsStayStrings: a name may be made of digits.
func TestStringsStayStrings(t *testing.T) {
	got := render(t, "7", `
rbac: {scope: Namespaced, namespaces: ["1"], gatewayNamespaces: ["2"]}
image: {pullSecrets: ["3"]}
priorityClassName: "4"
workDirSize: "5"
extraLabels: {build: "6"}
serviceMonitor: {enabled: true}
`)
	for _, name := range []string{
		"Deployment 7/lockstep-controller", "PodDisruptionBudget 7/lockstep-controller", "Service 7/lockstep-controller-metrics", "ServiceMonitor 7/lockstep-controller",
		"Role 1/lockstep-controller-stacks", "RoleBinding 1/lockstep-controller-stacks", "Role 2/lockstep-controller-gateways", "RoleBinding 2/lockstep-controller-gateways",
	} {
		if got[name] == nil {
			t.Fatalf("%s is missing among %v", name, names(got))
		}
		if got[name].GetLabels()["build"] != "6" {
			t.Errorf("%s has labels %v", name, got[name].GetLabels())
		}
	}
	pod, _, _ := unstructured.NestedMap(got["Deployment 7/lockstep-controller"].Object, "spec", "template", "spec")
	is := []any{pod["imagePullSecrets"], pod["priorityClassName"], pod["volumes"], got["RoleBinding 1/lockstep-controller-stacks"].Object["subjects"]}
	want := []any{
		[]any{map[string]any{"name": "3"}},
		"4",
		[]any{map[string]any{"name": "tmp", "emptyDir": map[string]any{"sizeLimit": "5"}}},
		[]any{map[string]any{"kind": "ServiceAccount", "name": "lockstep-controller", "namespace": "7"}},
	}
	if diff := cmp.Diff(want, is); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLabelsOfTheChartStay: values cannot take the Pods from their selectors, nor change what a role is part of. Of two
// values the one for fewer objects counts.
func TestLabelsOfTheChartStay(t *testing.T) {
	plain := render(t, "ops", `serviceMonitor: {enabled: true}`)
	got := render(t, "ops", `
extraLabels: {app.kubernetes.io/name: theirs, app.kubernetes.io/component: theirs, app.kubernetes.io/instance: theirs, rbac.authorization.k8s.io/aggregate-to-view: "false", team: ops}
podLabels: {app.kubernetes.io/name: theirs, team: pods}
serviceMonitor: {enabled: true, labels: {helm.sh/chart: theirs, team: monitors}}
`)
	for name, o := range got {
		holds(t, name, o.GetLabels(), plain[name].GetLabels())
	}
	pods := []string{"spec", "template", "metadata", "labels"}
	deployment := "Deployment ops/lockstep-controller"
	before, _, _ := unstructured.NestedStringMap(plain[deployment].Object, pods...)
	after, _, _ := unstructured.NestedStringMap(got[deployment].Object, pods...)
	holds(t, "a Pod", after, before)
	teams := []string{got[deployment].GetLabels()["team"], after["team"], got["ServiceMonitor ops/lockstep-controller"].GetLabels()["team"]}
	if diff := cmp.Diff([]string{"ops", "pods", "monitors"}, teams); diff != "" {
		t.Errorf("label team (-want +got):\n%s", diff)
	}
}

func holds(t *testing.T, name string, labels, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if labels[key] != value {
			t.Errorf("%s: label %s is %q, want %q", name, key, labels[key], value)
		}
	}
}

// TestIntervals: those that Prometheus knows.
func TestIntervals(t *testing.T) {
	for _, interval := range []string{"30s", "1m30s", "500ms", "1d"} {
		got := render(t, "ops", "serviceMonitor: {enabled: true, interval: "+interval+"}")
		endpoints, _, _ := unstructured.NestedSlice(got["ServiceMonitor ops/lockstep-controller"].Object, "spec", "endpoints")
		if is := endpoints[0].(map[string]any)["interval"]; is != interval {
			t.Errorf("interval %v, want %s", is, interval)
		}
	}
}

func containers(t *testing.T, deployment *unstructured.Unstructured) []map[string]any {
	t.Helper()
	list, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil || len(list) == 0 {
		t.Fatalf("containers: %v %v", list, err)
	}
	var all []map[string]any
	for _, c := range list {
		all = append(all, c.(map[string]any))
	}
	return all
}

// TestPartsThatAreLeftOut: what an administrator brings, the chart leaves out.
func TestPartsThatAreLeftOut(t *testing.T) {
	got := render(t, "ops", `{crds: {install: false}, policy: {install: false}, roles: {install: false}, replicas: 1}`)
	want := []string{
		"ClusterRole lockstep-controller", "ClusterRoleBinding lockstep-controller", "Deployment ops/lockstep-controller",
		"Role ops/lockstep-controller", "RoleBinding ops/lockstep-controller", "ServiceAccount ops/lockstep-controller",
	}
	if diff := cmp.Diff(want, names(got)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func names(objects map[string]*unstructured.Unstructured) []string {
	var all []string
	for name := range objects {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// TestNamespacedRights: nothing is granted in the whole cluster but reading the policy, and gateways are only read.
func TestNamespacedRights(t *testing.T) {
	got := render(t, "ops", `{rbac: {scope: Namespaced, namespaces: [shop, shop-blue], gatewayNamespaces: [gateways]}, crds: {install: false}, policy: {install: false}, roles: {install: false}}`)
	want := []string{
		"ClusterRole lockstep-controller-policy", "ClusterRoleBinding lockstep-controller-policy", "Deployment ops/lockstep-controller",
		"PodDisruptionBudget ops/lockstep-controller", "Role gateways/lockstep-controller-gateways", "Role ops/lockstep-controller",
		"Role shop-blue/lockstep-controller-stacks", "Role shop/lockstep-controller-stacks", "RoleBinding gateways/lockstep-controller-gateways",
		"RoleBinding ops/lockstep-controller", "RoleBinding shop-blue/lockstep-controller-stacks", "RoleBinding shop/lockstep-controller-stacks",
		"ServiceAccount ops/lockstep-controller",
	}
	if diff := cmp.Diff(want, names(got)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	policies := []string{"get list watch validatingadmissionpolicies validatingadmissionpolicybindings"}
	if diff := cmp.Diff(policies, rulesOf(got["ClusterRole lockstep-controller-policy"])); diff != "" {
		t.Errorf("rights in the cluster (-want +got):\n%s", diff)
	}
	reads := []string{"get namespaces", "get list services", "list pods", "list endpointslices", "get gateways", "list virtualservices", "list httproutes"}
	if diff := cmp.Diff(reads, rulesOf(got["Role gateways/lockstep-controller-gateways"])); diff != "" {
		t.Errorf("rights in a namespace of gateways (-want +got):\n%s", diff)
	}
	args, _ := containers(t, got["Deployment ops/lockstep-controller"])[0]["args"].([]any)
	if !slices.Contains(args, any("--namespaces=shop,shop-blue")) || !slices.Contains(args, any("--gateway-namespaces=gateways")) {
		t.Errorf("the controller is started with %v", args)
	}
}

// rulesOf are verbs and resources, rule by rule.
func rulesOf(role *unstructured.Unstructured) []string {
	var all []string
	rules, _, _ := unstructured.NestedSlice(role.Object, "rules")
	for _, rule := range rules {
		verbs, _, _ := unstructured.NestedStringSlice(rule.(map[string]any), "verbs")
		resources, _, _ := unstructured.NestedStringSlice(rule.(map[string]any), "resources")
		all = append(all, strings.Join(slices.Concat(verbs, resources), " "))
	}
	return all
}

// TestValuesThatAreRefused: the schema says what is wrong before anything is applied.
func TestValuesThatAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		"image: {digest: latest}":                       "/image/digest",
		"replica: 2":                                    "replica",
		"replicas: -1":                                  "/replicas",
		"rbac: {scope: Team}":                           "/rbac/scope",
		"rbac: {scope: Namespaced}":                     "/rbac/namespaces",
		"rbac: {namespaces: [shop]}":                    "/rbac/namespaces",
		"logLevel: verbose":                             "/logLevel",
		"extraArgs: [stacks-at-once=4]":                 "/extraArgs",
		"serviceMonitor: {enabled: 1}":                  "/serviceMonitor/enabled",
		"serviceMonitor: {interval: 30s1m}":             "/serviceMonitor/interval",
		`serviceMonitor: {interval: ""}`:                "/serviceMonitor/interval",
		"extraLabels: {a: {b: c}}":                      "/extraLabels",
		"image: {pullPolicy: Sometimes}":                "/image/pullPolicy",
		"rbac: {scope: Namespaced, namespaces: [Shop]}": "/rbac/namespaces",
	} {
		if _, err := chart.Render(dir, "ops", values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a refusal that names %s", values, err, want)
		}
	}
}
