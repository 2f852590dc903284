package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
)

// hasty is a Stack whose releases fail soon and leave nothing behind for long.
var hasty = settings{
	promotion: "Auto", drain: "2s", keep: "10m",
	more: "deadlines: {render: 12s, deploy: 30s, check: 15s, switch: 12s}",
}

// wrong is an input that no release can come of, and what is said of it.
type wrong struct {
	name   string
	stack  []string // pairs of what is replaced in the Stack's manifest
	files  []string // pairs of a file of the repository and what is written there
	edit   []string // a file, and a pair of what is replaced in it
	before func(*shop)
	args   []string
	reason string
	says   []string
}

// TestBadContent makes one release after another that cannot be, against one shop whose users notice nothing.
func TestBadContent(t *testing.T) {
	s := started(t, "bad", beside(t, hasty))
	good, err := s.repo.Push(s.ctx, "What is good")
	s.must(err)
	for _, w := range append(append(wrongSource(s), wrongObjects()...), wrongPods()...) {
		t.Run(w.name, func(t *testing.T) {
			sub := *s
			sub.t = t
			sub.refuses(w, good)
		})
	}
	s.happy()
}

func wrongSource(s *shop) []wrong {
	url := func(to string) []string { return []string{fmt.Sprintf("url: %q", s.repo.URL), "url: " + to} }
	values := "valuesFiles: [values.yaml, values-$(slot).yaml]"
	return []wrong{
		{name: "repo unreachable", stack: url("http://127.0.0.1:1/shop.git"), reason: v1alpha1.ReasonRepoUnreachable, says: []string{"127.0.0.1:1"}},
		{
			name: "wrong credentials", before: (*shop).wrongPassword, reason: v1alpha1.ReasonAuthFailed, says: []string{"/private/e2e/bad.git"},
			stack: url(cluster.GitInside + "/private/e2e/bad.git, secretRef: {name: git}"),
		},
		{
			name: "no credentials", reason: v1alpha1.ReasonSecretMissing, says: []string{"missing-secret"},
			stack: url(cluster.GitInside + "/private/e2e/bad.git, secretRef: {name: missing-secret}"),
		},
		{name: "revision gone", args: []string{"--revision=v9.9.9"}, reason: v1alpha1.ReasonRevisionMissing, says: []string{"v9.9.9"}},
		{name: "commit gone", args: []string{"--revision=" + strings.Repeat("0123", 10)}, reason: v1alpha1.ReasonRevisionMissing, says: []string{"01230123"}},
		{name: "path missing", stack: []string{"path: apps/shop", "path: apps/gone"}, reason: v1alpha1.ReasonPathMissing, says: []string{"apps/gone"}},
		{
			name: "chart does not render", reason: v1alpha1.ReasonRenderFailed, says: []string{"broken.yaml", "the team says no"},
			files: []string{"charts/cart/templates/broken.yaml", `{{ fail "the team says no" }}`},
		},
		{name: "values file missing", stack: []string{values, "valuesFiles: [values-$(slot)-gone.yaml]"}, reason: v1alpha1.ReasonValuesMissing, says: []string{"-gone.yaml"}},
		{
			name: "chart dependency missing", reason: v1alpha1.ReasonDependencyMissing, says: []string{"cart", "helm dependency build"},
			edit: []string{"apps/shop/Chart.yaml", "file://../../charts/cart", "https://charts.example.com"},
		},
		{name: "values out of the checkout", stack: []string{values, "valuesFiles: [../../../../etc/passwd]"}, reason: v1alpha1.ReasonOutsideCheckout, says: []string{"etc/passwd"}},
		{
			name: "link out of the checkout", before: (*shop).linkOut, reason: v1alpha1.ReasonOutsideCheckout, says: []string{"templates/out.yaml"},
		},
		{
			name: "a template that never ends", reason: v1alpha1.ReasonRenderTimeout, says: []string{"12s", "loops"},
			files: []string{"charts/cart/templates/endless.yaml", strings.Repeat("{{ range until 30000 }}", 3) + strings.Repeat("{{ end }}", 3)},
		},
		{
			name: "content over the cap", reason: v1alpha1.ReasonContentTooLarge, says: []string{"2000"},
			files: []string{"charts/cart/templates/many.yaml", "{{ range $i := until 2001 }}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: many-{{ $i }}}}\n{{ end }}"},
		},
		{
			name: "no workload", reason: v1alpha1.ReasonNoWorkload, says: []string{"nothing was rendered that runs"},
			stack: []string{"helm: {" + values + "}", "plain: {}", "path: apps/shop", "path: apps/empty"},
			files: []string{"apps/empty/settings.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}"},
		},
		{name: "a member that is not there", stack: []string{"name: ledger, role", "name: lodger, role"}, reason: v1alpha1.ReasonUnknownMember, says: []string{"lodger", "ledger"}},
	}
}

func wrongObjects() []wrong {
	object := func(name, reason, object string, says ...string) wrong {
		return wrong{name: name, reason: reason, says: says, files: []string{"charts/cart/templates/more.yaml", object}}
	}
	return []wrong{
		object("cluster-scoped object", v1alpha1.ReasonClusterScoped,
			"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: cart-reader}}", "ClusterRole/cart-reader"),
		object("object for another namespace", v1alpha1.ReasonForeignNamespace,
			"{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: kube-system}}", "ConfigMap/settings", "kube-system"),
		object("exposing object", v1alpha1.ReasonExposesSlot,
			"{apiVersion: v1, kind: Service, metadata: {name: outside}, spec: {type: NodePort, ports: [{port: 80}]}}", "Service/outside", "NodePort"),
		object("Helm hook", v1alpha1.ReasonHelmHook,
			"{apiVersion: batch/v1, kind: Job, metadata: {name: migrate, annotations: {helm.sh/hook: pre-upgrade}}}", "Job/migrate", "pre-upgrade"),
		object("volume", v1alpha1.ReasonVolume,
			"{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}}", "PersistentVolumeClaim/data"),
		object("another slot's namespace", v1alpha1.ReasonCrossSlotReference,
			`{apiVersion: v1, kind: ConfigMap, metadata: {name: peers}, data: {catalog: "http://catalog.e2e-bad-blue.svc"}}`, "ConfigMap/peers", "e2e-bad-blue"),
	}
}

func wrongPods() []wrong {
	env := func(fault string) []string {
		return []string{"charts/frontend/values.yaml", "env: {}", "env: {" + fault + "}"}
	}
	return []wrong{
		{
			name: "image that cannot be pulled", reason: v1alpha1.ReasonImagePull, says: []string{"lockstep.dev/shop/frontend:9.9.9"},
			args: []string{"--image=frontend=lockstep.dev/shop/frontend:9.9.9"},
		},
		{
			name: "dependency's image that cannot be pulled", reason: v1alpha1.ReasonImagePull, says: []string{"cart waits for catalog", "lockstep.dev/shop/catalog:9.9.9"},
			args: []string{"--image=catalog=lockstep.dev/shop/catalog:9.9.9"},
		},
		{name: "Pod that crashes", edit: env(`CRASH: "true"`), reason: v1alpha1.ReasonCrashing, says: []string{"frontend", "ended with exit code 1"}},
		{name: "readiness that never comes", edit: env(`FAIL_READY: "true"`), reason: v1alpha1.ReasonMemberNotReady, says: []string{"Deployment/frontend"}},
		{
			name: "admission refusal", before: (*shop).forbidConfigMap, reason: v1alpha1.ReasonAdmissionRefused, says: []string{"e2e-bad-green/forbidden", "nothing may be called so"},
			files: []string{"charts/cart/templates/more.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: forbidden}}"},
		},
		{
			name: "object that is not valid", reason: v1alpha1.ReasonAdmissionRefused, says: []string{"e2e-bad-green/odd", "99999"},
			files: []string{"charts/cart/templates/more.yaml", "{apiVersion: v1, kind: Service, metadata: {name: odd}, spec: {ports: [{port: 99999}]}}"},
		},
		{name: "backend that does not exist", stack: []string{"service: frontend", "service: fronted"}, reason: v1alpha1.ReasonBackendMissing, says: []string{"Service fronted", "does not exist"}},
		{name: "backend port that does not exist", stack: []string{"port: 80", "port: 81"}, reason: v1alpha1.ReasonBackendMissing, says: []string{"no port 81"}},
	}
}

// refuses makes the release, and expects it to end with what is wrong, said in every place; and then all is well again.
func (s *shop) refuses(w wrong, good string) {
	s.t.Helper()
	live := s.unit()
	defer s.calm(live, good)
	s.spoil(w)
	r := s.run(5, append([]string{"release", "shop", "--wait=Live", "--timeout=2m"}, w.args...)...)
	name := nameOf(r)
	says := append([]string{w.reason}, w.says...)
	s.contains("the command", r.Stderr, says...)
	ended := s.releases()[name].Status.Ended
	if ended == nil || ended.Outcome != v1alpha1.OutcomeFailed || ended.Reason != w.reason {
		s.t.Fatalf("release %s ended as %+v, want Failed with %s", name, ended, w.reason)
	}
	s.contains("the Release", ended.Message, w.says...)
	s.event(w.reason, "release "+name)
}

// spoil breaks the Stack, the repository or the cluster.
func (s *shop) spoil(w wrong) {
	s.t.Helper()
	if w.before != nil {
		w.before(s)
	}
	for i := 0; i < len(w.files); i += 2 {
		s.must(s.repo.Write(w.files[i], w.files[i+1]))
	}
	if len(w.edit) > 0 {
		s.must(s.repo.Replace(w.edit[0], w.edit[1], w.edit[2]))
	}
	_, err := s.repo.Push(s.ctx, w.name)
	s.must(err)
	s.must(cluster.Apply(s.ctx, s.changed(w.stack...)))
}

// changed is the Stack's manifest with pairs replaced.
func (s *shop) changed(pairs ...string) string {
	s.t.Helper()
	manifest := s.manifest(hasty)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(manifest, pairs[i]) {
			s.t.Fatalf("the Stack does not contain %q", pairs[i])
		}
		manifest = strings.ReplaceAll(manifest, pairs[i], pairs[i+1])
	}
	return manifest
}

// calm puts everything back, and expects users to be where they were.
func (s *shop) calm(live v1alpha1.UnitStatus, good string) {
	s.t.Helper()
	s.must(s.repo.Restore(s.ctx, good))
	_, err := s.repo.Push(s.ctx, "Good again")
	s.must(err)
	s.must(cluster.Apply(s.ctx, s.manifest(hasty)))
	s.until(time.Minute, "well again on what worked", func(stack *v1alpha1.Stack) bool {
		u := stack.Status.Units[0]
		return u.ActiveRelease == "" && u.LiveRelease == live.LiveRelease && u.LiveSlot == live.LiveSlot && isReady(stack)
	})
}

func isReady(stack *v1alpha1.Stack) bool {
	return hasCondition(stack, v1alpha1.ConditionReady, metav1.ConditionTrue, "")
}

func hasCondition(stack *v1alpha1.Stack, kind string, status metav1.ConditionStatus, reason string) bool {
	for _, c := range stack.Status.Conditions {
		if c.Type == kind {
			return c.Status == status && (reason == "" || c.Reason == reason) && c.ObservedGeneration == stack.Generation
		}
	}
	return false
}

func (s *shop) contains(where, text string, says ...string) {
	s.t.Helper()
	for _, want := range says {
		if !strings.Contains(text, want) {
			s.t.Errorf("%s does not say %q: %s", where, want, text)
		}
	}
}

// event waits for a warning on the Stack.
func (s *shop) event(reason, says string) {
	s.t.Helper()
	s.must(journey.Until(s.ctx, 10*time.Second, func(ctx context.Context) error {
		list := &eventsv1.EventList{}
		if err := cluster.List(ctx, list, client.InNamespace(s.home)); err != nil {
			return err
		}
		var others []string
		for _, e := range list.Items {
			if e.Type == corev1.EventTypeWarning && e.Reason == reason && strings.Contains(e.Note, says) {
				return nil
			}
			others = append(others, e.Reason)
		}
		return fmt.Errorf("no warning %s that says %q among %v", reason, says, others)
	}))
}

var created = regexp.MustCompile(`release\.lockstep\.dev/(\S+) created`)

// nameOf is the release that a command made.
func nameOf(r journey.Result) string {
	if found := created.FindStringSubmatch(r.Stdout); found != nil {
		return found[1]
	}
	return ""
}

func (s *shop) wrongPassword() {
	s.must(cluster.Create(s.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "git", Namespace: s.home},
		StringData: map[string]string{"username": "lockstep", "password": "wrong"},
	}))
}

func (s *shop) linkOut() {
	s.must(os.Symlink("/etc/passwd", filepath.Join(s.repo.Dir, "charts/cart/templates/out.yaml")))
}

// forbidConfigMap has admission refuse a name in the shop's slots, until the test ends.
func (s *shop) forbidConfigMap() {
	name := s.home + "-forbidden"
	policy := fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: %[1]s}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [configmaps], operations: [CREATE, UPDATE]}]
  validations: [{expression: "object.metadata.name != 'forbidden'", message: nothing may be called so}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: %[1]s}
spec:
  policyName: %[1]s
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {lockstep.dev/stack-namespace: %[2]s}}}
`, name, s.home)
	s.must(cluster.Apply(s.ctx, policy))
	s.t.Cleanup(func() { s.must(cluster.Remove(context.WithoutCancel(s.ctx), policy)) })
	s.must(journey.Until(s.ctx, 30*time.Second, func(ctx context.Context) error {
		err := cluster.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "forbidden", Namespace: s.home + "-blue"}}, client.DryRunAll)
		if err == nil {
			return fmt.Errorf("the policy %s is not in force yet", name)
		}
		return nil
	}))
}
