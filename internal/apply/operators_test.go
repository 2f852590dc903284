package apply

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

const externalSecret = `
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: from-vault}
spec: {secretStoreRef: {name: vault, kind: SecretStore}, target: {name: db}}
`

func TestComesLater(t *testing.T) {
	secret := func(name string) reference { return reference{kind: kindSecret, name: name} }
	const certificate = "{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: web}, spec: {secretName: web-tls, dnsNames: [web]}}"
	const sealed = "{apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, metadata: {name: keys}, spec: {encryptedData: {a: AgBy}}}"
	const postgres = "{apiVersion: postgresql.cnpg.io/v1, kind: Cluster, metadata: {name: db, labels: {part: shop}, annotations: {example.com/makes: db-app}}, spec: {instances: 1}}"
	const ingress = "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web}, spec: {tls: [{secretName: web-tls}]}}"
	for name, tc := range map[string]struct {
		manifest string
		ref      reference
		want     bool
	}{
		"by a field":                  {externalSecret, secret("db"), true},
		"by another field":            {certificate, secret("web-tls"), true},
		"in a list":                   {certificate, secret("web"), true},
		"by its own name":             {sealed, secret("keys"), true},
		"by an annotation":            {postgres, secret("db-app"), true},
		"another Secret":              {externalSecret, secret("other"), false},
		"a part of the name":          {certificate, secret("web-t"), false},
		"a label":                     {postgres, secret("shop"), false},
		"a ConfigMap":                 {externalSecret, reference{kind: kindConfigMap, name: "db"}, true},
		"what no operator makes here": {externalSecret, reference{kind: kindServiceAccount, name: "db"}, false},
		"a kind of Kubernetes' own":   {ingress, secret("web-tls"), false},
	} {
		w := &slotWork{objects: parse(t, tc.manifest)}
		if got := w.comesLater(tc.ref); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// TestPreflightOfAnOperatorsSecret: the Secret is made of an ExternalSecret in the same content, and so after the preflight.
func TestPreflightOfAnOperatorsSecret(t *testing.T) {
	w := newWorld(t)
	w.prepare("green")
	w.define("external-secrets.io", "ExternalSecret")
	const web = `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i, envFrom: [{secretRef: {name: db}}, {secretRef: {name: mail}}]}]}
`
	const mail = "---\n{apiVersion: v1, kind: Secret, metadata: {name: mail}}\n"
	ref := w.release("shop-1", externalSecret+web)
	message := w.refused(plan.Preflight{Release: ref, Slot: "green", Attempt: 1}, v1alpha1.ReasonReferenceMissing)
	if !strings.Contains(message, "Secret mail") || strings.Contains(message, "Secret db") {
		t.Errorf("%q, want Secret mail alone", message)
	}
	ref = w.release("shop-2", externalSecret+web+mail)
	w.ok(plan.Preflight{Release: ref, Slot: "green", Attempt: 1})
}

// define makes a custom kind that takes everything, and lets the Stack's ServiceAccount write it in green.
func (w *world) define(group, kind string) {
	w.t.Helper()
	plural := strings.ToLower(kind) + "s"
	crd := parse(w.t, fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %s.%s}
spec:
  group: %[2]s
  scope: Namespaced
  names: {kind: %[3]s, plural: %[1]s}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`, plural, group, kind))[0]
	w.make(crd)
	w.t.Cleanup(func() { w.must(server.Client.Delete(context.Background(), crd)) })
	in := metav1.ObjectMeta{Namespace: w.s.Stack.Namespace + "-green", Name: plural}
	w.make(&rbacv1.Role{ObjectMeta: in, Rules: []rbacv1.PolicyRule{{APIGroups: []string{group}, Resources: []string{plural}, Verbs: []string{"*"}}}})
	w.make(&rbacv1.RoleBinding{
		ObjectMeta: in,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: plural},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.s.Stack.Namespace, Name: v1alpha1.DefaultServiceAccount}},
	})
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: "v1", Kind: kind + "List"})
	for range 100 { // the API server serves it a moment later
		if server.Client.List(w.ctx, list) == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.t.Fatalf("%s is not served", kind)
}
