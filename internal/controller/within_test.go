package controller

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What a client lists is what lies in its namespaces, of typed objects and of bare metadata alike; what has no namespace,
// and what names one, is listed as ever.
func TestWithinListsOnlyItsNamespaces(t *testing.T) {
	server := realServer(t)
	ctx := context.Background()
	label := client.MatchingLabels{"within": fresh("x")}
	home, slot, other := fresh("home"), fresh("slot"), fresh("other")
	for _, ns := range []string{home, slot, other} {
		mustDo(t, server.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns, Labels: label}}))
		for _, name := range []string{"a", "b"} {
			mustDo(t, server.Client.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: label}}))
		}
	}
	c := Within(server.Client, []string{home}, []string{slot})

	typed := &corev1.ConfigMapList{}
	mustDo(t, c.List(ctx, typed, label))
	bare := &metav1.PartialObjectMetadataList{}
	bare.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMapList"))
	mustDo(t, c.List(ctx, bare, label))
	var got, gotBare []string
	for _, o := range typed.Items {
		got = append(got, o.Namespace+"/"+o.Name)
	}
	for _, o := range bare.Items {
		gotBare = append(gotBare, o.Namespace+"/"+o.Name)
	}
	want := []string{home + "/a", home + "/b", slot + "/a", slot + "/b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("typed (-want +got):\n%s", diff)
	}
	slices.Sort(gotBare)
	if diff := cmp.Diff(want, gotBare); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	spaces, one := &corev1.NamespaceList{}, &corev1.ConfigMapList{}
	mustDo(t, c.List(ctx, spaces, label))
	mustDo(t, c.List(ctx, one, label, client.InNamespace(other)))
	if len(spaces.Items) != 3 || len(one.Items) != 2 {
		t.Errorf("%d namespaces and %d objects of a namespace that was named, want 3 and 2", len(spaces.Items), len(one.Items))
	}
	if Within(server.Client, nil, nil) != server.Client {
		t.Error("without namespaces it is not the client itself")
	}
}
