package render

import (
	"strings"
	"testing"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// TestObjectsThatAreRefused puts one bad object beside a good Deployment.
func TestObjectsThatAreRefused(t *testing.T) {
	tests := map[string]struct {
		object string
		reason string
		says   []string
	}{
		"Ingress": {
			"{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: x}}",
			v1alpha1.ReasonExposesSlot,
			[]string{"Ingress/x", "spec.entries", "list {kind: Ingress, name: x} under spec.ignore"},
		},
		"HTTPRoute": {
			"{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: x}}",
			v1alpha1.ReasonExposesSlot,
			[]string{"HTTPRoute/x", "spec.ignore"},
		},
		"VirtualService": {
			"{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: x}}",
			v1alpha1.ReasonExposesSlot,
			[]string{"VirtualService/x", "spec.ignore"},
		},
		"LoadBalancer": {
			"{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: LoadBalancer}}",
			v1alpha1.ReasonExposesSlot,
			[]string{"Service/x", "ClusterIP", "spec.ignore"},
		},
		"NodePort": {
			"{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: NodePort}}",
			v1alpha1.ReasonExposesSlot,
			[]string{"NodePort", "ClusterIP"},
		},
		"external IPs": {
			"{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {externalIPs: [192.0.2.1]}}",
			v1alpha1.ReasonExposesSlot,
			[]string{"externalIPs", "remove"},
		},
		"external-dns": {
			"{apiVersion: v1, kind: Service, metadata: {name: x, annotations: {external-dns.alpha.kubernetes.io/hostname: shop.example.com}}}",
			v1alpha1.ReasonExposesSlot,
			[]string{"external-dns", "remove"},
		},
		"host network": {
			daemonSet("{hostNetwork: true, containers: [{name: x}]}"),
			v1alpha1.ReasonExposesSlot,
			[]string{"DaemonSet/x", "hostNetwork"},
		},
		"host port": {
			daemonSet("{containers: [{name: x, ports: [{containerPort: 80, hostPort: 80}]}]}"),
			v1alpha1.ReasonExposesSlot,
			[]string{"hostPort 80", "container x"},
		},
		"host port of an init container": {
			daemonSet("{containers: [{name: x}], initContainers: [{name: init, ports: [{hostPort: 80}]}]}"),
			v1alpha1.ReasonExposesSlot,
			[]string{"container init"},
		},
		"ClusterRole": {
			"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: x}}",
			v1alpha1.ReasonClusterScoped,
			[]string{"ClusterRole/x", "spec.ignore"},
		},
		"Namespace": {
			"{apiVersion: v1, kind: Namespace, metadata: {name: x}}",
			v1alpha1.ReasonClusterScoped,
			[]string{"Namespace/x"},
		},
		"CRD": {
			"{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: x}}",
			v1alpha1.ReasonClusterScoped,
			[]string{"CustomResourceDefinition/x"},
		},
		"other namespace": {
			"{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: default}}",
			v1alpha1.ReasonForeignNamespace,
			[]string{"ConfigMap/x", "namespace default", "shop-blue", "remove metadata.namespace"},
		},
		"claim": {
			"{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: x}}",
			v1alpha1.ReasonVolume,
			[]string{"PersistentVolumeClaim/x", "spec.ignore"},
		},
		"claim templates": {
			"{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x}, spec: {volumeClaimTemplates: [{metadata: {name: data}}]}}",
			v1alpha1.ReasonVolume,
			[]string{"StatefulSet/x", "volumeClaimTemplates"},
		},
		"hook": {
			"{apiVersion: batch/v1, kind: Job, metadata: {name: x, annotations: {helm.sh/hook: 'pre-install, test'}}}",
			v1alpha1.ReasonHelmHook,
			[]string{"Job/x", "pre-install", "spec.ignore"},
		},
		"twice": {
			strings.ReplaceAll(web, "apps/v1", "apps/v1beta2"),
			v1alpha1.ReasonDuplicateObject,
			[]string{"Deployment/web", "objects.yaml", "web.yaml"},
		},
		"two workloads of one name": {
			strings.ReplaceAll(daemonSet("{containers: [{name: x}]}"), "name: x", "name: web"),
			v1alpha1.ReasonDuplicateObject,
			[]string{"DaemonSet/web", "Deployment/web", "rename"},
		},
		"bare pod": {
			"{apiVersion: v1, kind: Pod, metadata: {name: x}}",
			v1alpha1.ReasonUnsupportedKind,
			[]string{"Pod/x", "Deployment"},
		},
		"token": {
			"{apiVersion: v1, kind: Secret, metadata: {name: x}, type: kubernetes.io/service-account-token}",
			v1alpha1.ReasonUnsupportedKind,
			[]string{"Secret/x", "projected token"},
		},
		"a Stack": {
			"{apiVersion: lockstep.dev/v1alpha1, kind: Stack, metadata: {name: x}}",
			v1alpha1.ReasonUnsupportedKind,
			[]string{"Stack/x"},
		},
		"name too long for a label": {
			strings.ReplaceAll(daemonSet("{}"), "name: x", "name: "+strings.Repeat("x", 64)),
			v1alpha1.ReasonRenderFailed,
			[]string{"label", "rename"},
		},
		"not an object": {
			"replicas: 1",
			v1alpha1.ReasonRenderFailed,
			[]string{"objects.yaml", "no apiVersion", "move it out of the path"},
		},
		"not an object, second document": {
			"{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n---\nreplicas: 1",
			v1alpha1.ReasonRenderFailed,
			[]string{"objects.yaml, document 2"},
		},
		"not an object, after the end of a document": {
			"{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n...\nreplicas: 1",
			v1alpha1.ReasonRenderFailed,
			[]string{"objects.yaml, document 2"},
		},
		"not YAML": {
			"a: [",
			v1alpha1.ReasonRenderFailed,
			[]string{"objects.yaml", "not valid YAML"},
		},
		"a list": {
			"- a", v1alpha1.ReasonRenderFailed, []string{"objects.yaml", "a list"},
		},
		"no name": {
			"{apiVersion: v1, kind: ConfigMap, metadata: {generateName: x}}",
			v1alpha1.ReasonRenderFailed,
			[]string{"metadata.name"},
		},
		"a label that is no text": {
			"{apiVersion: v1, kind: ConfigMap, metadata: {name: x, labels: {version: 1}}}",
			v1alpha1.ReasonRenderFailed,
			[]string{"metadata.labels.version", "quotes"},
		},
		"an item of a List": {
			"{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Namespace, metadata: {name: x}}]}",
			v1alpha1.ReasonClusterScoped,
			[]string{"Namespace/x", "item 1"},
		},
		"aliases of aliases": {
			aliasBomb(), v1alpha1.ReasonRenderFailed, []string{"objects.yaml", "not valid YAML"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := checkoutOf(t, "-- web.yaml --\n"+web+"-- objects.yaml --\n"+test.object+"\n")
			req := plainRequest(root)
			_, err := renderAll(&req)
			wantRefusal(t, err, test.reason, test.says...)
		})
	}
}

func daemonSet(pod string) string {
	return "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: x}, spec: {template: {spec: " + pod + "}}}"
}

func aliasBomb() string {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := '1'; i <= '9'; i++ {
		previous := ", *a" + string(i-1)
		bomb += "a" + string(i) + ": &a" + string(i) + " [" + strings.TrimPrefix(strings.Repeat(previous, 10), ", ") + "]\n"
	}
	return bomb
}

// TestObjectsThatArePassed are close to those that are refused.
func TestObjectsThatArePassed(t *testing.T) {
	tests := map[string]string{
		"own namespace's objects": "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: b}}",
		"Role":                    "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: x}}",
		"test of a chart":         "{apiVersion: v1, kind: Pod, metadata: {name: x, annotations: {helm.sh/hook: test}}}",
		"Sidecar":                 "{apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {name: x}}",
		"NetworkPolicy":           "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: x}}",
		"ExternalName":            "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: ExternalName, externalName: db.example.com}}",
		"same name, other kind":   "{apiVersion: v1, kind: Service, metadata: {name: web}}",
		"comments":                "# nothing",
		"empty":                   "---\n---\n",
	}
	for name, object := range tests {
		t.Run(name, func(t *testing.T) {
			must(t, plainRequest(checkoutOf(t, "-- web.yaml --\n"+web+"-- objects.yaml --\n"+object+"\n")))
		})
	}
}

func TestIgnoredObjectsAreLeftOut(t *testing.T) {
	req := plainRequest(checkoutOf(t, "-- web.yaml --\n"+web+`-- more.yaml --
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: a}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: b}}
`))
	req.Ignore = []v1alpha1.ObjectPattern{{Kind: "Ingress"}, {Kind: "Namespace", Name: "a"}}
	_, err := renderAll(&req)
	wantRefusal(t, err, v1alpha1.ReasonClusterScoped, "Namespace/b")
	req.Ignore[1].Name = ""
	if got := must(t, req); len(got.Slots[0].Objects) != 1 {
		t.Errorf("want the Deployment alone, got %v", got.Slots[0].Objects)
	}
}

func TestEveryWrongObjectIsNamed(t *testing.T) {
	req := plainRequest(checkoutOf(t, "-- web.yaml --\n"+web+`-- more.yaml --
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: a}}
`))
	_, err := renderAll(&req)
	wantRefusal(t, err, v1alpha1.ReasonExposesSlot, "Ingress/a", "Namespace/a")
}

func TestNothingThatRuns(t *testing.T) {
	req := plainRequest(checkoutOf(t, "-- a.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n"))
	_, err := renderAll(&req)
	wantRefusal(t, err, v1alpha1.ReasonNoWorkload, "source.git.path")
	req.Root = checkoutOf(t, "-- README.md --\nhello\n")
	_, err = renderAll(&req)
	wantRefusal(t, err, v1alpha1.ReasonNoWorkload, "source.git.path")
}
