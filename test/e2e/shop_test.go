package e2e

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
	"github.com/lockstep-dev/lockstep/internal/testkit/witness"
)

// shop is a team's shop in namespaces of its own, with its users.
type shop struct {
	qps    float64
	t      *testing.T
	ctx    context.Context
	home   string
	host   string
	repo   *journey.Repo
	users  *witness.Witness
	ledger *witness.Ledger
}

// settings of a test's Stack; zero values take those of most tests.
type settings struct {
	entry     string // YAML of the entry's route; by default a made HTTPRoute
	promotion string
	keep      string
	drain     string
	more      string // YAML below spec
	entries   string // YAML of further entries
	bound     []string
	qps       float64 // requests of users per second
}

// beside has a test run beside others, with fewer users.
func beside(t *testing.T, o settings) settings {
	t.Helper()
	t.Parallel()
	o.qps = 80
	return o
}

func newShop(t *testing.T, name string, s settings) *shop {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	sh := &shop{t: t, ctx: ctx, home: "e2e-" + name, host: name + ".example.com", qps: cmp.Or(s.qps, 240)}
	t.Cleanup(func() { sh.leave(); cancel() })
	sh.clear()
	var err error
	sh.repo, err = cluster.PushRepo(ctx, "e2e/"+name, filepath.Join(cluster.Root, "examples", "shop", "repo"))
	sh.must(err)
	sh.must(cluster.Home(ctx, sh.home, s.bound...))
	sh.must(cluster.Apply(ctx, sh.manifest(s)))
	return sh
}

func (s *shop) clear() {
	for _, ns := range []string{s.home, s.home + "-blue", s.home + "-green"} {
		s.must(cluster.DeleteNamespace(s.ctx, ns))
	}
}

func (s *shop) manifest(o settings) string {
	if o.entry == "" {
		o.entry = fmt.Sprintf("httpRoute: {parentRefs: [{name: public, namespace: istio-system}], hostnames: [%s]}", s.host)
	}
	return fmt.Sprintf(`
apiVersion: lockstep.dev/v1alpha1
kind: Stack
metadata: {name: shop, namespace: %[1]s}
spec:
  source:
    git: {url: %[2]q, path: apps/shop}
    helm: {valuesFiles: [values.yaml, values-$(slot).yaml]}
  entries:
  - name: web
    %[3]s
    backend: {service: frontend, port: 80}
    preview: {header: {name: x-lockstep-preview, value: "true"}, cookie: {name: test, value: "true"}}
%[8]s
  members:
  - {name: frontend, dependsOn: [{name: catalog}, {name: cart}]}
  - {name: cart, dependsOn: [{name: catalog}]}
  - {name: ledger, role: Worker}
  sessions: {drainTimeout: %[5]s}
  strategy: {blueGreen: {promotion: %[4]s, keepPrevious: {for: %[6]s}}}
  %[7]s
`, s.home, s.repo.URL, o.entry, or(o.promotion, "Manual"), or(o.drain, "12s"), or(o.keep, "10m"), o.more, o.entries)
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.status())
	}
}

func (s *shop) status() string {
	stack, err := cluster.Stack(context.WithoutCancel(s.ctx), s.home, "shop")
	if err != nil {
		return err.Error()
	}
	return journey.Describe(stack)
}

// run runs the plugin on the shop's Stack, and expects it to end with code.
func (s *shop) run(code int, args ...string) journey.Result {
	s.t.Helper()
	r := cluster.Run(s.ctx, nil, append(args, "-n", s.home)...)
	s.t.Logf("kubectl lockstep %s → %d (%.1f s)\n%s%s", strings.Join(args, " "), r.Code, time.Since(r.Began).Seconds(), r.Stdout, r.Stderr)
	if r.Code != code {
		s.t.Fatalf("kubectl lockstep %s ended with %d, want %d\n%s", strings.Join(args, " "), r.Code, code, s.status())
	}
	return r
}

// unit is the state of the stack.
func (s *shop) unit() v1alpha1.UnitStatus {
	s.t.Helper()
	stack, err := cluster.Stack(s.ctx, s.home, "shop")
	s.must(err)
	if len(stack.Status.Units) == 0 {
		return v1alpha1.UnitStatus{}
	}
	return stack.Status.Units[0]
}

// until waits until check is true of the Stack.
func (s *shop) until(timeout time.Duration, what string, check func(*v1alpha1.Stack) bool) {
	s.t.Helper()
	s.must(cluster.UntilStack(s.ctx, s.home, "shop", timeout, what, check))
}

func (s *shop) untilSlot(slot string, state v1alpha1.SlotState) {
	s.t.Helper()
	s.until(2*time.Minute, fmt.Sprintf("at slot %s %s", slot, state), func(stack *v1alpha1.Stack) bool {
		for _, status := range stack.Status.Slots {
			if status.Name == slot {
				return status.State == state
			}
		}
		return false
	})
}

// version commits new image tags.
func (s *shop) version(tag string, charts ...string) string {
	s.t.Helper()
	for _, chart := range charts {
		s.must(s.repo.SetTag(chart, tag))
	}
	commit, err := s.repo.Push(s.ctx, "Version "+tag)
	s.must(err)
	return commit
}

// letUsersIn starts users, who are there until the test ends, and waits until they are served.
func (s *shop) letUsersIn() {
	s.t.Helper()
	clients, err := kubernetes.NewForConfig(cluster.Config)
	s.must(err)
	s.ledger, err = witness.FollowLedger(s.ctx, witness.LedgerOptions{
		Client: clients, Namespaces: []string{s.home + "-blue", s.home + "-green"}, Selector: "app.kubernetes.io/name=ledger",
	})
	s.must(err)
	s.users = witness.Start(s.ctx, witness.Options{Target: cluster.Gateway, Host: s.host, QPS: s.qps, Connections: 12, Streams: 4, StreamSeconds: 8})
	s.must(journey.Until(s.ctx, 30*time.Second, func(context.Context) error {
		if r := s.users.Snapshot(); r.Requests < 100 {
			return fmt.Errorf("users are not served: %s", r)
		}
		return nil
	}))
}

// answers waits until the shop answers through the gateway, for a second at a stretch.
func (s *shop) answers() {
	s.t.Helper()
	good := 0
	s.must(journey.Until(s.ctx, time.Minute, func(ctx context.Context) error {
		status, body, err := cluster.Ask(ctx, s.host, nil)
		if err != nil || status != http.StatusOK {
			good = 0
			return fmt.Errorf("%d %s %w", status, body, err)
		}
		if good++; good < 10 {
			return fmt.Errorf("%d good answers in a row", good)
		}
		return nil
	}))
}

// usersSee waits until users are served by a release.
func (s *shop) usersSee(release string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
	defer cancel()
	if err := s.users.WaitFor(ctx, release); err != nil {
		s.t.Fatalf("users do not see release %s: %v (%s)\n%s", release, err, s.users.Snapshot(), s.status())
	}
}

// happy ends the users, and fails the test where one of them met a failure, a mix or a cut connection.
func (s *shop) happy() {
	s.t.Helper()
	time.Sleep(2 * time.Second)
	r := s.users.Stop()
	ledger := s.ledger.Report()
	s.t.Logf("users: %s; p50 %v p99 %v; ledger: %d actors, %d handovers %v", r, r.P50, r.P99, len(ledger.Actors), len(ledger.Handovers), ledger.Handovers)
	if r.Failed != 0 || r.Mixed != 0 || r.Cut != 0 {
		s.t.Errorf("users met %d failures, %d mixes and %d cut connections: %v %v", r.Failed, r.Mixed, r.Cut, r.Failures, r.MixedSamples)
	}
	if len(ledger.Overlaps) != 0 {
		s.t.Errorf("the worker was active in two slots: %v", ledger.Overlaps)
	}
}

// leave ends what is left of the test.
func (s *shop) leave() {
	if s.users != nil {
		s.users.Stop()
	}
	if s.ledger != nil {
		s.ledger.Stop()
	}
	if s.repo != nil {
		s.repo.Remove()
	}
	if s.t.Failed() {
		s.t.Log(s.status())
		return // what failed stays to be looked at
	}
	for _, ns := range []string{s.home, s.home + "-blue", s.home + "-green"} {
		_ = cluster.ForgetNamespace(context.WithoutCancel(s.ctx), ns)
	}
}

// releases of the shop, by name.
func (s *shop) releases() map[string]v1alpha1.Release {
	s.t.Helper()
	list := &v1alpha1.ReleaseList{}
	s.must(cluster.List(s.ctx, list, client.InNamespace(s.home)))
	byName := map[string]v1alpha1.Release{}
	for _, r := range list.Items {
		byName[r.Name] = r
	}
	return byName
}

// started has version 1 live, and users on it.
func started(t *testing.T, name string, o settings) *shop {
	t.Helper()
	s := newShop(t, name, o)
	s.begin()
	return s
}

// begin makes the first release, and lets users in.
func (s *shop) begin() {
	s.t.Helper()
	s.run(0, "release", "shop", "--wait=Live")
	s.letUsersIn()
	s.usersSee(s.unit().LiveRelease)
}
