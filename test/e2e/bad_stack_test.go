package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
)

// TestBadSlot has a Stack in namespace kube name slot system: kube-system exists and does not consent.
func TestBadSlot(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	s := &shop{t: t, ctx: ctx, home: "kube", host: "kube.example.com"}
	t.Cleanup(func() { _ = cluster.ForgetNamespace(context.WithoutCancel(ctx), "kube") })
	s.must(cluster.DeleteNamespace(ctx, s.home))
	var err error
	s.repo, err = cluster.PushRepo(ctx, "e2e/kube", filepath.Join(cluster.Root, "examples", "shop", "repo"))
	s.must(err)
	t.Cleanup(s.repo.Remove)
	s.must(cluster.Home(ctx, s.home))
	manifest := s.manifest(settings{more: "slots: [{name: system, namespace: kube-system}, {name: blue, namespace: kube-blue}]\n  deadlines: {deploy: 5s}"})
	s.must(cluster.Apply(ctx, strings.NewReplacer("name: shop,", "name: kube,", ", values-$(slot).yaml", "").Replace(manifest)))
	r := s.run(5, "release", "kube", "--wait=Live")
	s.contains("the command", r.Stderr, v1alpha1.ReasonNamespaceNoConsent, "kube-system", "lockstep.dev/stack=kube")
	s.event(v1alpha1.ReasonNamespaceNoConsent, "kube-system")
	s.untouched("kube-system")
}

// untouched expects nothing of Lockstep's in a namespace.
func (s *shop) untouched(namespace string) {
	s.t.Helper()
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &corev1.ServiceList{}, &corev1.PodList{}, &corev1.ConfigMapList{}, &rbacv1.RoleBindingList{}} {
		s.must(cluster.List(s.ctx, list, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelStack}))
		if n := meta.LenList(list); n != 0 {
			s.t.Errorf("%d objects of a %T in namespace %s carry Lockstep's label", n, list, namespace)
		}
	}
}

// TestBadGateway names a Gateway that does not exist.
func TestBadGateway(t *testing.T) {
	s := newShop(t, "gateway", beside(t, settings{entry: "httpRoute: {parentRefs: [{name: gone, namespace: istio-system}], hostnames: [gateway.example.com]}"}))
	r := s.run(3, "release", "shop", "--wait=Live", "--timeout=5s")
	s.contains("the command", r.Stderr, v1alpha1.ReasonGatewayMissing, "istio-system/gone")
	s.untilCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonGatewayMissing)
	s.event(v1alpha1.ReasonGatewayMissing, "istio-system/gone")
	s.must(cluster.Apply(s.ctx, s.manifest(settings{})))
	s.until(time.Minute, "live once the Gateway is named right", isReady)
}

// TestBadRights lets the Stack's ServiceAccount be missing, and then have no rights in the namespace of the route.
func TestBadRights(t *testing.T) {
	impatient := beside(t, settings{promotion: "Auto", drain: "1s", more: "deadlines: {deploy: 10s}"})
	s := newShop(t, "rights", impatient)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultServiceAccount, Namespace: s.home}}
	s.must(cluster.Delete(s.ctx, account))
	r := s.run(5, "release", "shop", "--wait=Live")
	s.contains("the command", r.Stderr, v1alpha1.ReasonServiceAccountMissing, v1alpha1.DefaultServiceAccount)
	s.event(v1alpha1.ReasonServiceAccountMissing, v1alpha1.DefaultServiceAccount)

	able := impatient
	able.more = "deadlines: {switch: 8s}"
	s.must(cluster.Apply(s.ctx, s.manifest(able)))
	s.must(cluster.Delete(s.ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultServiceAccount, Namespace: s.home}}))
	s.must(cluster.Create(s.ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultServiceAccount, Namespace: s.home}}))
	r = s.run(3, "release", "shop", "--wait=Live", "--timeout=40s")
	s.contains("the command", r.Stderr, v1alpha1.ReasonForbidden, "httproutes", s.home)
	s.event(v1alpha1.ReasonForbidden, "httproutes")
	s.must(cluster.Home(s.ctx, s.home))
	s.until(time.Minute, "idle once it has the rights", func(stack *v1alpha1.Stack) bool { return stack.Status.Units[0].ActiveRelease == "" })
	able.more = ""
	s.must(cluster.Apply(s.ctx, s.manifest(able)))
	s.run(0, "release", "shop", "--wait=Live")
}

// TestBadRelease names a Stack that does not exist.
func TestBadRelease(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	s := &shop{t: t, ctx: ctx, home: "e2e-nobody"}
	s.must(cluster.DeleteNamespace(ctx, s.home))
	s.must(cluster.Home(ctx, s.home))
	t.Cleanup(func() { _ = cluster.ForgetNamespace(context.WithoutCancel(ctx), s.home) })
	s.must(cluster.Apply(ctx, fmt.Sprintf("{apiVersion: lockstep.dev/v1alpha1, kind: Release, metadata: {name: nobody-1, namespace: %s}, spec: {stack: nobody}}", s.home)))
	s.event(v1alpha1.ReasonStackMissing, "there is no Stack nobody")
	s.contains("the command", s.run(1, "release", "nobody", "--wait=Live").Stderr, "nobody")
	s.must(journey.Until(ctx, 90*time.Second, func(context.Context) error {
		if ended := s.releases()["nobody-1"].Status.Ended; ended == nil || ended.Reason != v1alpha1.ReasonStackMissing {
			return fmt.Errorf("release nobody-1 ended as %+v, want Failed with StackMissing", ended)
		}
		return nil
	}))
}
