package render

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// FuzzContent takes whatever a source renders to through classification: nothing panics, and what is accepted lets
// nothing out of its slot. What leaks is said here once more, in other words than the rules have it.
func FuzzContent(f *testing.F) {
	for _, more := range []string{
		"", "{apiVersion: v1, kind: Namespace, metadata: {name: x}}", "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: kube-system}}",
		"{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: NodePort, ports: [{port: 80}]}}",
		"{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: ExternalName, externalName: web.shop-green.svc}}",
		"{apiVersion: v1, kind: Service, metadata: {name: x, annotations: {external-dns.alpha.kubernetes.io/hostname: x}}, spec: {externalIPs: [1.2.3.4]}}",
		"{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Node, metadata: {name: x}}]}]}",
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleList, items: [{metadata: {name: x}}]}",
		"{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: x}, spec: {rules: [{host: a}]}}",
		"{apiVersion: batch/v1, kind: CronJob, metadata: {name: x}, spec: {jobTemplate: {spec: {template: {spec: {hostNetwork: true}}}}}}",
		"{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x}, spec: {template: {spec: {containers: [{ports: [{hostPort: 80}]}]}}, volumeClaimTemplates: [{}]}}",
		"{apiVersion: apps/v1, kind: Deployment, metadata: {name: x, labels: {a: 1}}, spec: {replicas: -1, template: []}}",
		"{apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token, metadata: {name: x}}",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: http://web.shop-green.svc}\n...\n---\nkind: [", "a: &a [*a]", "---\n---\n", "\xff\xfe", "null",
	} {
		f.Add([]byte(more))
	}
	f.Fuzz(func(t *testing.T, more []byte) {
		objects, err := documents("fuzzed.yaml", append([]byte(web+"---\n"), more...))
		if err != nil {
			reasoned(t, err)
			return
		}
		req := Request{Stack: "shop", Namespace: "shop", Release: "shop-1", Slots: blueGreen}
		content, err := prepare(&req, blueGreen[0], objects)
		if err != nil {
			reasoned(t, err)
			return
		}
		for _, o := range content.objects {
			if leak := leaks(t, o.Unstructured, blueGreen[0]); leak != "" {
				t.Errorf("%s leaks: %s", o, leak)
			}
		}
		if _, err := assemble(&req, []slotContent{content}); err != nil {
			reasoned(t, err)
		}
	})
}

func reasoned(t *testing.T, err error) {
	t.Helper()
	if ReasonOf(err) == "" || strings.TrimSpace(err.Error()) == "" {
		t.Errorf("an error that people can do nothing about: %v", err)
	}
}

// leaks is what would reach out of a slot, found in the text of the object wherever it stands.
func leaks(t *testing.T, o *unstructured.Unstructured, slot v1alpha1.Slot) string {
	t.Helper()
	text, err := json.Marshal(o.Object)
	if err != nil {
		t.Fatal(err)
	}
	group, _, _ := strings.Cut(o.GetAPIVersion(), "/")
	if !strings.Contains(o.GetAPIVersion(), "/") {
		group = ""
	}
	switch {
	case o.GetNamespace() != slot.Namespace:
		return "namespace " + o.GetNamespace()
	case o.GetName() == "":
		return "no name"
	case slices.Contains([]string{"Namespace", "Node", "PersistentVolume", "PersistentVolumeClaim", "Pod"}, o.GetKind()) && group == "":
		return "kind"
	case slices.Contains([]string{"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Ingress", "HTTPRoute", "VirtualService", "Gateway"}, o.GetKind()) &&
		slices.Contains([]string{"rbac.authorization.k8s.io", "apiextensions.k8s.io", "networking.k8s.io", "gateway.networking.k8s.io", "networking.istio.io"}, group):
		return "kind"
	case bytes.Contains(text, []byte(`"external-dns.alpha.kubernetes.io/`)) && len(o.GetAnnotations()) > 0 && strings.Contains(strings.Join(keysOf(o.GetAnnotations()), " "), "external-dns.alpha.kubernetes.io/"):
		return "DNS"
	case group == "" && o.GetKind() == "Service":
		return leakOfService(o)
	case strings.Contains(string(text), ".shop-green.svc"):
		return "the other slot"
	}
	return ""
}

func keysOf(m map[string]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

func leakOfService(o *unstructured.Unstructured) string {
	spec, _ := o.Object["spec"].(map[string]any)
	kind, _ := spec["type"].(string)
	if kind == "NodePort" || kind == "LoadBalancer" {
		return "type"
	}
	if addresses, _ := spec["externalIPs"].([]any); len(addresses) > 0 {
		return "externalIPs"
	}
	if name, _ := spec["externalName"].(string); strings.Contains(name, "shop-green.svc") {
		return "the other slot"
	}
	return ""
}
