package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/controller"
	"github.com/lockstep-dev/lockstep/internal/testkit/journey"
)

// helm installs charts as people do: with the command, built from pinned sources.
type helm struct {
	t   *testing.T
	ctx context.Context
	dir string
}

// withHelm takes away what the other tests run with, and puts it back when the test ends.
func withHelm(t *testing.T) *helm {
	t.Helper()
	if os.Getenv("LOCKSTEP_HELM") == "" {
		t.Fatal("LOCKSTEP_HELM is not set: run this through make e2e, or set it to a helm command of version 4")
	}
	h := &helm{t: t, ctx: context.WithoutCancel(t.Context()), dir: t.TempDir()}
	h.must(cluster.MustRun(h.ctx, nil, "uninstall"))
	h.restricted()
	t.Cleanup(func() {
		h.uninstall()
		if err := cluster.Install(h.ctx, nil); err != nil {
			t.Errorf("Lockstep is not installed again for the tests that follow: %v", err)
		}
	})
	return h
}

func (h *helm) must(_ journey.Result, err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// restricted makes sure that the namespace lets no Pod in that is not restricted.
func (h *helm) restricted() {
	h.t.Helper()
	ns := &corev1.Namespace{}
	if err := cluster.Get(h.ctx, client.ObjectKey{Name: config.Namespace}, ns); err != nil {
		h.t.Fatal(err)
	}
	if level := ns.Labels["pod-security.kubernetes.io/enforce"]; level != "restricted" {
		h.t.Fatalf("namespace %s enforces %q, want restricted", config.Namespace, level)
	}
}

func (h *helm) run(args ...string) {
	h.t.Helper()
	cmd := exec.CommandContext(h.ctx, os.Getenv("LOCKSTEP_HELM"), append(args, "--namespace", config.Namespace)...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+h.dir, "HELM_CONFIG_HOME="+h.dir, "HELM_DATA_HOME="+h.dir)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	h.t.Logf("helm %s (%.1f s)\n%s", strings.Join(args, " "), time.Since(began).Seconds(), out)
	if err != nil {
		h.t.Fatalf("helm %s: %v", strings.Join(args, " "), err)
	}
}

// install has the chart take over what kubectl lockstep install left: the kinds.
func (h *helm) install(chart, tag string) {
	h.t.Helper()
	h.run("upgrade", "--install", "lockstep", chart, "--set-string", "image.tag="+tag, "--take-ownership", "--force-conflicts", "--wait", "--timeout", "3m")
	h.runs(tag)
}

func (h *helm) uninstall() { h.run("uninstall", "lockstep", "--ignore-not-found", "--wait") }

// runs makes sure that two replicas are ready, and run the build.
func (h *helm) runs(tag string) {
	h.t.Helper()
	h.runsImage("lockstep.dev/controller:"+tag, 2)
}

func (h *helm) runsImage(want string, replicas int32) {
	h.t.Helper()
	d := &appsv1.Deployment{}
	if err := cluster.Get(h.ctx, client.ObjectKey{Namespace: config.Namespace, Name: config.Controller}, d); err != nil {
		h.t.Fatal(err)
	}
	if d.Status.ReadyReplicas != replicas || d.Status.UpdatedReplicas != replicas {
		h.t.Fatalf("%d of %d replicas are ready, %d are new", d.Status.ReadyReplicas, replicas, d.Status.UpdatedReplicas)
	}
	if image := d.Spec.Template.Spec.Containers[0].Image; image != want {
		h.t.Fatalf("the controller is %s, want %s", image, want)
	}
}

func (h *helm) file(path ...string) string {
	h.t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{cluster.Root}, path...)...))
	if err != nil {
		h.t.Fatalf("not built (make e2e builds it): %v", err)
	}
	return strings.TrimSpace(string(raw))
}

// leader is the Pod that holds the Lease.
func (h *helm) leader() string {
	h.t.Helper()
	lease := &coordinationv1.Lease{}
	if err := cluster.Get(h.ctx, client.ObjectKey{Namespace: config.Namespace, Name: controller.LeaderElectionID}, lease); err != nil {
		h.t.Fatal(err)
	}
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	pod, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	return pod
}

// killLeader sends SIGKILL to the process of the Pod that holds the Lease, removes the Pod, so that the kubelet does not start
// the process again, and waits until another Pod has the Lease: the one that stood by, or the one that was made anew.
func (h *helm) killLeader() {
	h.t.Helper()
	was := h.leader()
	pods := &corev1.PodList{}
	if err := cluster.List(h.ctx, pods, client.InNamespace(config.Namespace), client.MatchingLabels{"app.kubernetes.io/component": "controller"}); err != nil {
		h.t.Fatal(err)
	}
	i := slices.IndexFunc(pods.Items, func(p corev1.Pod) bool { return p.Name == was })
	if i < 0 || len(pods.Items) < 2 {
		h.t.Fatalf("the leader is %q, of %d Pods", was, len(pods.Items))
	}
	pod := &pods.Items[i]
	uid := string(pod.UID)
	script := fmt.Sprintf(`for p in $(pgrep -f ^/lockstep-controller); do if grep -qE '%s|%s' /proc/$p/cgroup; then kill -KILL $p && echo killed $p; fi; done`,
		uid, strings.ReplaceAll(uid, "-", "_"))
	out, err := exec.CommandContext(h.ctx, os.Getenv("LOCKSTEP_CLUSTER_COMMAND"), "run", "--", "sh", "-c", script).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "killed") {
		h.t.Fatalf("the leader %s was not killed: %v %s", was, err, out)
	}
	began := time.Now()
	if err := cluster.Delete(h.ctx, pod, client.GracePeriodSeconds(0)); err != nil {
		h.t.Fatal(err)
	}
	err = journey.Until(h.ctx, time.Minute, func(context.Context) error {
		if now := h.leader(); now == "" || now == was {
			return fmt.Errorf("the leader is %q, and was %s", now, was)
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Logf("%s took over from %s after %.1f s", h.leader(), was, time.Since(began).Seconds())
}

// measured makes sure that the leader's metrics speak of the release, and of writes with the rights of teams.
func (h *helm) measured() {
	h.t.Helper()
	clients := h.clients()
	raw, err := clients.CoreV1().Pods(config.Namespace).ProxyGet("http", h.leader(), "8080", "/metrics", nil).DoRaw(h.ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, want := range []string{
		`lockstep_switch_duration_seconds_count{kind="Switch"} 1`,
		`lockstep_step_duration_seconds_count{outcome="Done",step="Hold"} 1`,
		`lockstep_release_duration_seconds_count{kind="Release",outcome="Live"} 2`,
		`lockstep_api_writes_total{dry_run="false",group="apps",resource="deployments",result="ok",verb=`,
		`lockstep_api_writes_total{dry_run="false",group="lockstep.dev",resource="stacks/status",result="ok",verb="update"}`,
		`controller_runtime_reconcile_total{controller="stack",result="success"}`,
	} {
		if !strings.Contains(string(raw), want) {
			h.t.Errorf("the metrics lack %s", want)
		}
	}
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "lockstep_switch_duration_seconds_sum") || strings.HasPrefix(line, "lockstep_step_duration_seconds_sum") {
			h.t.Log(strings.TrimSpace(line))
		}
	}
}

// logged makes sure that each effect of a release is a line that says of which Stack, release and step.
func (h *helm) logged(stack string) {
	h.t.Helper()
	raw, err := h.clients().CoreV1().Pods(config.Namespace).GetLogs(h.leader(), &corev1.PodLogOptions{}).DoRaw(h.ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	applied := 0
	for line := range strings.Lines(string(raw)) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) != nil || entry["verb"] != "ApplyMember" || entry["stack"] != stack {
			continue
		}
		applied++
		if entry["step"] != "Deploy" || entry["release"] == nil || entry["object"] == nil {
			h.t.Errorf("the line does not say where it is: %s", line)
		}
	}
	if applied == 0 {
		h.t.Errorf("no line of the log tells of a member of %s that was applied:\n%s", stack, raw)
	}
}

func (h *helm) clients() *kubernetes.Clientset {
	h.t.Helper()
	clients, err := kubernetes.NewForConfig(cluster.Config)
	if err != nil {
		h.t.Fatal(err)
	}
	return clients
}

// TestAirGapped installs from a mirror, by digest, with the chart and with the command. The node asks no registry: the Pods
// run only where the image is named exactly as it was mirrored.
func TestAirGapped(t *testing.T) {
	h := withHelm(t)
	const registry = "registry.internal/mirror"
	tag := h.file("build", "images", "controller.tag")
	digest := h.mirror("lockstep.dev/controller:"+tag, registry+"/controller")
	h.run("upgrade", "--install", "lockstep", filepath.Join(cluster.Root, "charts", "lockstep"), "--set-string", "image.registry="+registry,
		"--set-string", "image.digest="+digest, "--take-ownership", "--force-conflicts", "--wait", "--timeout", "2m")
	h.runsImage(registry+"/controller@"+digest, 2)
	h.uninstall()
	h.must(cluster.MustRun(h.ctx, nil, "install", "--registry", registry, "--digest", digest, "--wait", "--timeout", "2m"))
	h.runsImage(registry+"/controller@"+digest, 1)
	h.must(cluster.MustRun(h.ctx, nil, "uninstall"))
}

// mirror gives an image of the node another name, by its digest, as if it had been pulled from there.
func (h *helm) mirror(image, name string) (digest string) {
	h.t.Helper()
	ctr := filepath.Join(filepath.Dir(os.Getenv("LOCKSTEP_KUBECTL")), "ctr") + " --address /run/lockstep/containerd.sock --namespace k8s.io images "
	inside := func(script string) string {
		h.t.Helper()
		out, err := exec.CommandContext(h.ctx, os.Getenv("LOCKSTEP_CLUSTER_COMMAND"), "run", "--", "sh", "-c", script).Output()
		if err != nil {
			h.t.Fatalf("%s: %v (this test needs the local cluster)", script, err)
		}
		return string(out)
	}
	digest = regexp.MustCompile("sha256:[0-9a-f]{64}").FindString(inside(ctr + "ls name==" + image))
	if digest == "" {
		h.t.Fatalf("image %s is not on the node", image)
	}
	inside(ctr + "tag --force " + image + " " + name + "@" + digest)
	h.t.Cleanup(func() { inside(ctr + "rm " + name + "@" + digest) })
	return digest
}

// TestChart installs the chart, takes a release live, kills the leader of the two replicas in the middle of another one, and
// takes the chart away; users notice none of it.
func TestChart(t *testing.T) {
	h := withHelm(t)
	chart, tag := filepath.Join(cluster.Root, "charts", "lockstep"), h.file("build", "images", "controller.tag")
	h.install(chart, tag)
	s := started(t, "chart", settings{})
	s.version("2.0.0", "catalog", "frontend")
	s.run(0, "release", "shop", "--wait=Hold")
	s.run(0, "promote", "shop", "--wait=Live")
	v2 := s.unit().LiveRelease
	s.usersSee(v2)
	h.measured()
	h.logged(s.home + "/shop")

	go func() { _ = cluster.Run(s.ctx, nil, "rollback", "shop", "-n", s.home) }()
	h.killLeader()
	s.until(2*time.Minute, "rolled back", func(stack *v1alpha1.Stack) bool {
		return stack.Status.Units[0].LiveRelease != v2 && stack.Status.Units[0].ActiveRelease == ""
	})
	back := s.unit()
	s.usersSee(back.LiveRelease)

	h.uninstall()
	for _, o := range []client.Object{&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: config.Namespace, Name: config.Controller}}} {
		if err := cluster.Get(s.ctx, client.ObjectKeyFromObject(o), o); client.IgnoreNotFound(err) != nil || err == nil {
			t.Errorf("%s is still there: %v", o.GetName(), err)
		}
	}
	time.Sleep(3 * time.Second) // users go on meanwhile
	if left := s.unit(); left.LiveRelease != back.LiveRelease {
		t.Errorf("the Stack is not what it was: %+v, want %+v", left, back)
	}
	s.answers()

	h.install(chart, tag)
	s.version("3.0.0", "catalog", "frontend")
	s.untilSlotFree()
	s.run(0, "release", "shop", "--wait=Hold")
	s.run(0, "promote", "shop", "--wait=Live")
	s.usersSee(s.unit().LiveRelease)
	s.happy()
}

// untilSlotFree waits until one of the slots is idle.
func (s *shop) untilSlotFree() {
	s.t.Helper()
	s.until(2*time.Minute, "with an idle slot", func(stack *v1alpha1.Stack) bool {
		for _, slot := range stack.Status.Slots {
			if slot.State == v1alpha1.SlotIdle {
				return true
			}
		}
		return false
	})
}

// TestUpgradeInMidRelease has the build before this one take a release to its hold, upgrades Lockstep to this one, and
// promotes. hack/previous says which commit the other build is of.
func TestUpgradeInMidRelease(t *testing.T) {
	h := withHelm(t)
	chart, tag := filepath.Join(cluster.Root, "charts", "lockstep"), h.file("build", "images", "controller.tag")
	oldTag := h.file("build", "previous", "controller.tag")
	if oldTag == tag {
		t.Fatalf("the build of %s is the same as this one", h.file("build", "previous", "commit"))
	}
	oldChart := filepath.Join(cluster.Root, "build", "previous", "src", "charts", "lockstep")
	if _, err := os.Stat(oldChart); err != nil {
		oldChart = chart // before there was one
	}
	t.Logf("from commit %s with the chart %s", h.file("build", "previous", "commit"), oldChart)
	h.install(oldChart, oldTag)
	s := started(t, "upgrade", settings{})
	s.version("2.0.0", "catalog", "frontend")
	s.run(0, "release", "shop", "--wait=Hold")
	held := s.unit()

	h.install(chart, tag)
	if now := s.unit(); now.ActiveRelease != held.ActiveRelease || now.Step == nil || now.Step.Kind != v1alpha1.StepHold || now.Step.Attempt != held.Step.Attempt {
		t.Errorf("the upgrade moved the release: %+v, want %+v", now.Step, held.Step)
	}
	s.run(0, "promote", "shop", "--wait=Live")
	s.usersSee(held.ActiveRelease)
	s.run(0, "rollback", "shop", "--wait=Live")
	s.usersSee(held.LiveRelease)
	s.happy()
}
