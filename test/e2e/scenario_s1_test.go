package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
)

// TestScenarioS1 takes over a stack that a team runs by hand: version 1 in the blue namespace, applied without Lockstep,
// and a VirtualService of the team's with both colours' cross-namespace Services at 100 and 0. Then S1's cycle: deploy,
// swap, revert, swap again, scale down.
func TestScenarioS1(t *testing.T) {
	s := newShop(t, "s1", settings{
		entry: "virtualService: {name: my-app-live, namespace: e2e-s1-ingress}",
		bound: nil,
	})
	s.byHand()
	s.letUsersIn()
	s.until(time.Minute, "taken over", func(stack *v1alpha1.Stack) bool {
		return len(stack.Status.Units) > 0 && stack.Status.Units[0].LiveSlot == "blue"
	})

	s.version("2.0.0", "catalog", "frontend")
	s.run(0, "release", "shop", "--wait=Hold") // deploy
	v2 := s.unit().ActiveRelease
	s.run(0, "promote", "shop", "--wait=Live") // swap
	s.usersSee(v2)
	s.run(0, "rollback", "shop", "--wait=Live") // revert
	s.until(time.Minute, "back on blue", func(stack *v1alpha1.Stack) bool { return stack.Status.Units[0].LiveSlot == "blue" })
	s.untilSlot("green", v1alpha1.SlotIdle) // scale down

	s.run(0, "release", "shop", "--retry", "--wait=Hold")
	s.run(0, "promote", "shop", "--wait=Live")
	s.until(time.Minute, "on green", func(stack *v1alpha1.Stack) bool { return stack.Status.Units[0].LiveSlot == "green" })
	s.foreignEditsSurvive()
	s.happy()
}

// byHand is what the team had before: blue at version 1, green empty, and their own route.
func (s *shop) byHand() {
	s.t.Helper()
	ingress := "e2e-s1-ingress"
	s.must(cluster.DeleteNamespace(s.ctx, ingress))
	s.t.Cleanup(func() { _ = cluster.ForgetNamespace(context.WithoutCancel(s.ctx), ingress) })
	for _, ns := range []string{s.home + "-blue", s.home + "-green"} {
		s.must(cluster.Create(s.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns, Labels: map[string]string{
			v1alpha1.LabelStack: "shop", v1alpha1.LabelStackNamespace: s.home,
		}}}))
		s.must(cluster.Home(s.ctx, s.home, ns))
	}
	s.must(cluster.Create(s.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ingress}}))
	s.must(cluster.Home(s.ctx, s.home, ingress))
	s.applyPlain(s.home + "-blue")
	s.must(cluster.Apply(s.ctx, fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: my-app-live, namespace: %[1]s, annotations: {team/owner: shop}}
spec:
  hosts: [%[2]s]
  gateways: [istio-system/public]
  http:
  - name: api
    match: [{uri: {prefix: /}}]
    timeout: 15s
    route:
    - {destination: {host: frontend.%[3]s-blue.svc.cluster.local, port: {number: 80}}, weight: 100}
    - {destination: {host: frontend.%[3]s-green.svc.cluster.local, port: {number: 80}}, weight: 0}
`, ingress, s.host, s.home)))
	s.must(journey.Until(s.ctx, 2*time.Minute, s.blueReady))
	s.answers()
}

func (s *shop) blueReady(ctx context.Context) error {
	pods := &corev1.PodList{}
	if err := cluster.List(ctx, pods, client.InNamespace(s.home+"-blue")); err != nil {
		return err
	}
	ready := 0
	for _, pod := range pods.Items {
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				ready++
			}
		}
	}
	if ready < 5 {
		return fmt.Errorf("%d of 5 Pods are ready", ready)
	}
	return nil
}

func (s *shop) applyPlain(namespace string) {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(cluster.Root, "examples/shop/repo/plain/shop/*.yaml"))
	s.must(err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		s.must(err)
		text := strings.ReplaceAll(string(raw), "\nmetadata:\n", "\nmetadata:\n  namespace: "+namespace+"\n")
		s.must(cluster.Apply(s.ctx, text))
	}
}

// foreignEditsSurvive: what the team wrote, other than weights, is as they wrote it.
func (s *shop) foreignEditsSurvive() {
	s.t.Helper()
	route := &unstructured.Unstructured{}
	route.SetGroupVersionKind(schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "VirtualService"})
	s.must(cluster.Get(s.ctx, client.ObjectKey{Namespace: "e2e-s1-ingress", Name: "my-app-live"}, route))
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "http")
	last, _ := rules[len(rules)-1].(map[string]any)
	if last["name"] != "api" || last["timeout"] != "15s" || route.GetAnnotations()["team/owner"] != "shop" {
		s.t.Errorf("the team's own settings did not survive: %v %v", last, route.GetAnnotations())
	}
}
