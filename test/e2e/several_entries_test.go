package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
	"github.com/lockstep-dev/lockstep/internal/testkit/witness"
)

const (
	partnersHost = "partners.several.example.com"
	previewHost  = "preview.several.example.com"
)

// TestSeveralEntries moves users through three entries of three kinds: the team's own VirtualService for the public, an
// HTTPRoute for partners with a hostname for testers, and a Service for callers inside. First one of them is refused by
// admission, and nothing is written; then all are switched, and taken back.
func TestSeveralEntries(t *testing.T) {
	s := newShop(t, "several", beside(t, settings{
		entry: "virtualService: {name: live}",
		entries: fmt.Sprintf(`
  - name: partners
    httpRoute: {parentRefs: [{name: public, namespace: istio-system}], hostnames: [%s]}
    backend: {service: frontend, port: 80}
    preview: {hostname: %s}
  - name: internal
    service: {name: storefront}
    requireEvidence: Written
    backend: {service: frontend, port: 80}`, partnersHost, previewHost),
	}))
	s.must(cluster.Apply(s.ctx, fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: live, namespace: %[1]s}
spec:
  hosts: [%[2]s]
  gateways: [istio-system/public]
  http:
  - name: all
    timeout: 15s
    route:
    - {destination: {host: frontend.%[1]s-blue.svc.cluster.local, port: {number: 80}}, weight: 100}
    - {destination: {host: frontend.%[1]s-green.svc.cluster.local, port: {number: 80}}, weight: 0}
`, s.home, s.host)))
	s.run(0, "release", "shop", "--wait=Live")
	s.letUsersIn()
	v1 := s.unit()
	s.usersSee(v1.LiveRelease)
	partners := witness.Start(s.ctx, witness.Options{Target: cluster.Gateway, Host: partnersHost, QPS: 60, Connections: 4})

	s.version("2.0.0", "catalog", "frontend")
	s.run(0, "release", "shop", "--wait=Hold")
	v2 := s.unit()
	s.testersMeet(v2.ActiveRelease)
	s.refusedTogether(v1)
	v2 = s.unit()
	s.run(0, "promote", "shop", "--wait=Live")
	s.usersSee(v2.ActiveRelease)
	s.must(partners.WaitFor(s.ctx, v2.ActiveRelease))
	s.switched("promotion", v2.ActiveSlot)

	s.run(0, "rollback", "shop", "--wait=Live")
	s.usersSee(v1.LiveRelease)
	s.must(partners.WaitFor(s.ctx, v1.LiveRelease))
	s.switched("rollback", v1.LiveSlot)
	s.testersMeet(v1.LiveRelease)
	s.untilSlot(v2.ActiveSlot, v1alpha1.SlotIdle)
	s.happy()
	if r := partners.Stop(); r.Failed != 0 || r.Mixed != 0 || r.Cut != 0 {
		t.Errorf("partners met %d failures, %d mixes and %d cut connections: %v %v", r.Failed, r.Mixed, r.Cut, r.Failures, r.MixedSamples)
	} else {
		t.Logf("partners: %s", r)
	}
}

// switched has every entry at the slot, and a window that was measured.
func (s *shop) switched(what, slot string) {
	s.t.Helper()
	service := &corev1.Service{}
	s.must(cluster.Get(s.ctx, client.ObjectKey{Namespace: s.home, Name: "storefront"}, service))
	if want := "frontend." + s.home + "-" + slot + ".svc.cluster.local"; service.Spec.ExternalName != want {
		s.t.Errorf("callers inside are sent to %s, want %s", service.Spec.ExternalName, want)
	}
	u := s.unit()
	w := u.Window
	if w == nil || w.Live != slot || w.Milliseconds == nil || *w.Milliseconds <= 0 {
		s.t.Fatalf("the window of the %s is %+v", what, w)
	}
	s.t.Logf("%s: %d ms from the first of %d entries to the last", what, *w.Milliseconds, len(u.Entries))
	if shown := s.run(0, "status", "shop").Stdout; !strings.Contains(shown, fmt.Sprintf("%d ms from the first entry to the last", *w.Milliseconds)) {
		s.t.Errorf("status does not show the window:\n%s", shown)
	}
}

// testersMeet waits until the preview's hostname answers with a release.
func (s *shop) testersMeet(release string) {
	s.t.Helper()
	s.must(journey.Until(s.ctx, 30*time.Second, func(ctx context.Context) error {
		status, body, err := cluster.Ask(ctx, previewHost, nil)
		if err != nil || status != http.StatusOK || !strings.Contains(body, release) {
			return fmt.Errorf("testers get %d %s %w", status, body, err)
		}
		return nil
	}))
}

const noPartners = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: e2e-several-partners}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [gateway.networking.k8s.io], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [httproutes]}
  validations:
  - {expression: "object.metadata.name != 'shop-partners'", message: partners are not to be moved on Fridays}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: e2e-several-partners}
spec: {policyName: e2e-several-partners, validationActions: [Deny]}
`

// refusedTogether promotes while admission refuses the second entry: it is said why, and the first one is not written.
func (s *shop) refusedTogether(live v1alpha1.UnitStatus) {
	s.t.Helper()
	s.t.Cleanup(func() { _ = cluster.Remove(context.WithoutCancel(s.ctx), noPartners) })
	s.must(cluster.Apply(s.ctx, noPartners))
	s.must(journey.Until(s.ctx, time.Minute, s.partnersRefused))
	before := s.unit()
	s.run(0, "promote", "shop")
	s.until(time.Minute, "refused", func(stack *v1alpha1.Stack) bool {
		step := stack.Status.Units[0].Step
		return step != nil && step.Kind == v1alpha1.StepSwitch && step.Reason == v1alpha1.ReasonEntryRefused && strings.Contains(step.WaitingFor, "not to be moved on Fridays")
	})
	if u := s.unit(); u.Route.Epoch != before.Route.Epoch || u.LiveSlot != live.LiveSlot {
		s.t.Errorf("something was written though an entry is refused: %+v, before %+v", u.Route, before.Route)
	}
	s.run(0, "abort", "shop")
	s.must(cluster.Remove(s.ctx, noPartners))
	s.must(journey.Until(s.ctx, time.Minute, func(ctx context.Context) error {
		if err := s.partnersRefused(ctx); err == nil {
			return fmt.Errorf("partners are refused still")
		}
		return nil
	}))
	s.until(time.Minute, "idle", func(stack *v1alpha1.Stack) bool { return stack.Status.Units[0].ActiveRelease == "" })
	s.run(0, "release", "shop", "--retry", "--wait=Hold")
}

func (s *shop) partnersRefused(ctx context.Context) error {
	route := &unstructured.Unstructured{}
	route.SetGroupVersionKind(schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"})
	if err := cluster.Get(ctx, client.ObjectKey{Namespace: s.home, Name: "shop-partners"}, route); err != nil {
		return err
	}
	if err := cluster.Update(ctx, route, client.DryRunAll); !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
		return fmt.Errorf("partners can be moved (%w)", err)
	}
	return nil
}
