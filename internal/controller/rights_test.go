package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/observe"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/testkit/apiserver"
	"github.com/lockstep-dev/lockstep/internal/testkit/chart"
)

// Everything is read with the rights that ship, of a Stack with both kinds of routes, a slot that is there and a Release
// whose content is not.
func TestTheShippedRightsAreEnoughToObserve(t *testing.T) {
	server := realServer(t)
	live, err := client.New(asController(server), client.Options{Scheme: server.Scheme})
	mustDo(t, err)
	manifests, err := config.Policy()
	mustDo(t, err)
	policy, err := observe.ShippedPolicy(manifests)
	mustDo(t, err)
	key := types.NamespacedName{Namespace: fresh("rights"), Name: "shop"}
	ours := map[string]string{v1alpha1.LabelStack: "shop", v1alpha1.LabelStackNamespace: key.Namespace}
	ctx := context.Background()
	mustDo(t, server.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: key.Namespace}}))
	mustDo(t, server.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: key.Namespace + "-blue", Labels: ours}}))
	mustDo(t, server.Client.Create(ctx, adoptingStack(key)))
	mustDo(t, server.Client.Create(ctx, frozenRelease(key)))
	release := frozenRelease(key)
	mustDo(t, server.Client.Get(ctx, client.ObjectKeyFromObject(release), release))
	release.Status = frozenRelease(key).Status
	mustDo(t, server.Client.Status().Update(ctx, release))

	observer := observe.New(observe.Options{Live: live, ControllerNamespace: config.Namespace, Policy: policy})
	adopted, err := observer.Observe(ctx, key)
	mustDo(t, err)
	mustDo(t, server.Client.Patch(ctx, adoptingStack(key), client.RawPatch(types.MergePatchType, []byte(
		`{"spec":{"entries":[{"name":"web","httpRoute":{"parentRefs":[{"name":"public"}]},"backend":{"service":"web","port":80}}]}}`))))
	made, err := observer.Observe(ctx, key)
	mustDo(t, err)

	got := []string{adopted.Entries[0].Problem.Reason, made.Entries[0].Problem.Reason}
	if diff := cmp.Diff([]string{v1alpha1.ReasonEntryMissing, v1alpha1.ReasonGatewayMissing}, got); diff != "" {
		t.Errorf("the entries' problems (-want +got):\n%s", diff)
	}
	want := []plan.Slot{
		{Name: "blue", Namespace: key.Namespace + "-blue", Exists: true, Consented: true},
		{Name: "green", Namespace: key.Namespace + "-green", Creatable: true},
	}
	if diff := cmp.Diff(want, made.Slots); diff != "" {
		t.Errorf("slots (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]bool{"r1": false}, made.Content); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
}

// With rights in some namespaces only, a route in a namespace of gateways is known of: the chart lets it be listed there.
func TestTheShippedRightsShowHostnamesThatAreTaken(t *testing.T) {
	server := realServer(t)
	for _, c := range []struct{ name, entry, gateway, theirs string }{
		{
			"HTTPRoute", `{"httpRoute": {"parentRefs": [{"name": "public", "namespace": "%s"}], "hostnames": ["shop.example.com"]}}`,
			`{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "spec": {"gatewayClassName": "none", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}}`,
			`{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "spec": {"parentRefs": [{"name": "public"}], "hostnames": ["shop.example.com"], "rules": [{"backendRefs": [{"name": "theirs", "port": 80}]}]}}`,
		},
		{
			"VirtualService", `{"virtualService": {"gateways": ["%s/public"], "hosts": ["shop.example.com"]}}`,
			`{"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "spec": {"selector": {"istio": "ingress"}, "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}}`,
			`{"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "spec": {"gateways": ["public"], "hosts": ["shop.example.com"], "http": [{"route": [{"destination": {"host": "theirs"}}]}]}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			home, gateways := fresh("home"), fresh("gateways")
			for _, namespace := range []string{home, gateways} {
				mustDo(t, server.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}))
			}
			mustDo(t, server.Apply(named(t, c.gateway, gateways, "public")))
			mustDo(t, server.Apply(named(t, c.theirs, gateways, "theirs")))
			stack := adoptingStack(types.NamespacedName{Namespace: home, Name: "shop"})
			stack.Spec.Entries[0].VirtualService = nil
			mustDo(t, json.Unmarshal([]byte(fmt.Sprintf(c.entry, gateways)), &stack.Spec.Entries[0]))
			mustDo(t, server.Client.Create(t.Context(), stack))

			live := Within(installedIn(t, server, home, gateways), []string{home}, []string{gateways})
			observer := observe.New(observe.Options{Live: live, ControllerNamespace: home})
			awaitReason(t, v1alpha1.ReasonHostnameConflict, func() *plan.Problem {
				snapshot, err := observer.Observe(t.Context(), client.ObjectKeyFromObject(stack))
				if err != nil {
					return &plan.Problem{Message: err.Error()}
				}
				return snapshot.Entries[0].Problem
			})
		})
	}
}

// awaitReason looks until a problem has the reason: the API server takes a moment to know of new rights.
func awaitReason(t *testing.T, want string, look func() *plan.Problem) {
	t.Helper()
	var last *plan.Problem
	for range 50 {
		if last = look(); last != nil && last.Reason == want {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("problem %+v, want %s", last, want)
}

// installedIn is a client with the rights that the chart gives, as it installs into home for home and a namespace of gateways.
func installedIn(t *testing.T, server *apiserver.Server, home, gateways string) client.Client {
	t.Helper()
	objects, err := chart.Render("../../charts/lockstep", home, fmt.Sprintf("{rbac: {scope: Namespaced, namespaces: [%s], gatewayNamespaces: [%s]}}", home, gateways))
	mustDo(t, err)
	for _, o := range objects {
		if o.GroupVersionKind().Group == rbacv1.GroupName && o.GetNamespace() != "" {
			mustDo(t, server.Apply(o))
		}
	}
	c, err := server.As("system:serviceaccount:"+home+":"+config.Controller, "system:serviceaccounts", "system:authenticated")
	mustDo(t, err)
	return c
}

func named(t *testing.T, manifest, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	mustDo(t, json.Unmarshal([]byte(manifest), &o.Object))
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

func frozenRelease(stack types.NamespacedName) *v1alpha1.Release {
	return &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "r1"},
		Spec:       v1alpha1.ReleaseSpec{Stack: stack.Name},
		Status: v1alpha1.ReleaseStatus{Started: &v1alpha1.ReleaseStarted{
			At: metav1.NewTime(monday), Digest: "d", StepsSchema: v1alpha1.StepsSchema,
			Steps: []v1alpha1.Step{{Kind: v1alpha1.StepRender}}, Members: []v1alpha1.ReleaseMember{},
			Content: []v1alpha1.SlotContent{{Slot: "blue", Digest: "d", Secrets: []string{"c1"}}},
		}},
	}
}
