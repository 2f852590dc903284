package observe

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

// contentsOf sorts objects into what a reading of a namespace would hold.
func contentsOf(t *testing.T, objects ...client.Object) *contents {
	t.Helper()
	c := &contents{}
	for _, o := range objects {
		switch o := o.(type) {
		case *appsv1.Deployment:
			c.deployments.Items = append(c.deployments.Items, *o)
		case *appsv1.StatefulSet:
			c.statefulSets.Items = append(c.statefulSets.Items, *o)
		case *appsv1.DaemonSet:
			c.daemonSets.Items = append(c.daemonSets.Items, *o)
		case *batchv1.Job:
			c.jobs.Items = append(c.jobs.Items, *o)
		case *batchv1.CronJob:
			c.cronJobs.Items = append(c.cronJobs.Items, *o)
		case *corev1.Pod:
			c.pods.Items = append(c.pods.Items, *o)
		case *corev1.Service:
			c.services.Items = append(c.services.Items, *o)
		case *autoscalingv2.HorizontalPodAutoscaler:
			c.autoscalers.Items = append(c.autoscalers.Items, *o)
		case *discoveryv1.EndpointSlice:
			c.slices.Items = append(c.slices.Items, *o)
		default:
			t.Fatalf("no place for a %T", o)
		}
	}
	return c
}

func slotFacts(t *testing.T, releases []v1alpha1.Release, objects ...client.Object) plan.Slot {
	t.Helper()
	slot := plan.Slot{Name: "blue", Namespace: "home-blue"}
	viewOf(WithDefaults(smallestStack()), releases).fill(&slot, contentsOf(t, objects...))
	return slot
}

func startedRelease(members ...v1alpha1.ReleaseMember) v1alpha1.Release {
	r := v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "home", Name: "r1", UID: "u1"}, Spec: v1alpha1.ReleaseSpec{Stack: "shop"}}
	r.Status.Started = &v1alpha1.ReleaseStarted{Members: members}
	return r
}

func TestWorkloadFacts(t *testing.T) {
	tests := []struct {
		name   string
		object client.Object
		want   plan.Workload
	}{
		{
			"a Deployment that has rolled out", rolledOut("web", "r1", 2),
			plan.Workload{Kind: "Deployment", Name: "web", Release: "r1", Epoch: 7, Replicas: 2, Ready: true},
		},
		{
			"at a generation that its controller has not seen", with(rolledOut("web", "r1", 2), func(d *appsv1.Deployment) { d.Generation++ }),
			plan.Workload{Kind: "Deployment", Name: "web", Release: "r1", Epoch: 7, Replicas: 2},
		},
		{
			"with one replica of the former revision", with(rolledOut("web", "r1", 2), func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 }),
			plan.Workload{Kind: "Deployment", Name: "web", Release: "r1", Epoch: 7, Replicas: 2},
		},
		{
			"with more Pods than it should have", with(rolledOut("web", "r1", 2), func(d *appsv1.Deployment) { d.Status.Replicas = 3 }),
			plan.Workload{Kind: "Deployment", Name: "web", Release: "r1", Epoch: 7, Replicas: 2},
		},
		{
			"scaled to zero", rolledOut("web", "r1", 0),
			plan.Workload{Kind: "Deployment", Name: "web", Release: "r1", Epoch: 7},
		},
		{
			"being deleted", with(rolledOut("web", "r1", 2), func(d *appsv1.Deployment) { d.DeletionTimestamp = &metav1.Time{Time: monday} }),
			plan.Workload{Kind: "Deployment", Name: "web", Release: "r1", Epoch: 7, Replicas: 2},
		},
		{
			"a DaemonSet asleep", with(daemonSet(), func(d *appsv1.DaemonSet) {
				d.Spec.Template.Spec.NodeSelector = map[string]string{LabelAsleep: "true"}
			}),
			plan.Workload{Kind: "DaemonSet", Name: "agent"},
		},
		{
			"a DaemonSet awake", daemonSet(),
			plan.Workload{Kind: "DaemonSet", Name: "agent", Replicas: 1, Ready: true},
		},
		{
			"a CronJob suspended", &batchv1.CronJob{ObjectMeta: inSlot("nightly", stackLabels()), Spec: batchv1.CronJobSpec{Suspend: new(true)}},
			plan.Workload{Kind: "CronJob", Name: "nightly"},
		},
		{
			"a CronJob", &batchv1.CronJob{ObjectMeta: inSlot("nightly", stackLabels())},
			plan.Workload{Kind: "CronJob", Name: "nightly", Replicas: 1, Ready: true},
		},
		{
			"a Job that has failed", &batchv1.Job{ObjectMeta: inSlot("seed", stackLabels()), Status: batchv1.JobStatus{
				StartTime: &metav1.Time{Time: monday}, Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue}},
			}},
			plan.Workload{Kind: "Job", Name: "seed", Replicas: 1},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := slotFacts(t, nil, tt.object)
			if diff := cmp.Diff([]plan.Workload{tt.want}, got.Workloads); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
		})
	}
}

func with[T any](o T, change func(T)) T {
	change(o)
	return o
}

func daemonSet() *appsv1.DaemonSet {
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "home-blue", Name: "agent", Labels: stackLabels(), Generation: 1},
		Spec:       appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "agent"}}},
		Status:     appsv1.DaemonSetStatus{ObservedGeneration: 1, DesiredNumberScheduled: 1, CurrentNumberScheduled: 1, UpdatedNumberScheduled: 1, NumberReady: 1, NumberAvailable: 1},
	}
}

func TestWhichWorkloadsCount(t *testing.T) {
	unlabelled := func(d *appsv1.Deployment) { d.Labels = nil }
	other := func(d *appsv1.Deployment) { d.Labels[v1alpha1.LabelStack] = "other" }
	ofCronJob := &batchv1.Job{ObjectMeta: inSlot("nightly-1", stackLabels())}
	ofCronJob.OwnerReferences = []metav1.OwnerReference{{Kind: "CronJob", Name: "nightly", Controller: new(true)}}

	got := slotFacts(
		t, []v1alpha1.Release{startedRelease(v1alpha1.ReleaseMember{Kind: "Deployment", Name: "adopted"})},
		rolledOut("ours", "r1", 1),
		with(rolledOut("adopted", "", 1), unlabelled),
		with(rolledOut("stranger", "", 1), unlabelled),
		with(rolledOut("neighbour", "", 1), other),
		ofCronJob,
	)

	var names []string
	for _, w := range got.Workloads {
		names = append(names, w.Name)
	}
	if diff := cmp.Diff([]string{"ours", "adopted"}, names); diff != "" {
		t.Errorf("workloads (-want +got):\n%s", diff)
	}
}

func TestWhichPodsCount(t *testing.T) {
	stray := func(name string, change func(*corev1.Pod)) *corev1.Pod {
		pod := podOf(name, "")
		pod.Labels, pod.OwnerReferences = nil, nil
		change(pod)
		return pod
	}
	frontend := serviceOf("frontend", "")
	frontend.Spec.Selector = map[string]string{"app": "frontend"}

	got := slotFacts(
		t, nil,
		rolledOut("web", "r1", 2), frontend,
		&batchv1.CronJob{ObjectMeta: inSlot("nightly", stackLabels())},
		&batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: "nightly-1", OwnerReferences: []metav1.OwnerReference{{Kind: "CronJob", Name: "nightly", Controller: new(true)}}},
			Status:     batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}},
		},
		podOf("ready", "r1"),
		terminating(podOf("leaving", "r0")),
		stray("done", func(p *corev1.Pod) { p.Labels, p.Status.Phase = stackLabels(), corev1.PodSucceeded }),
		stray("crashed", func(p *corev1.Pod) { p.Labels, p.Status.Phase = stackLabels(), corev1.PodFailed }),
		stray("by-label", func(p *corev1.Pod) { p.Labels = stackLabels() }),
		stray("by-owner", func(p *corev1.Pod) {
			p.Labels = map[string]string{"app": "web"}
			ownedBy(p, "ReplicaSet", "web-123")
		}),
		stray("by-cronjob", func(p *corev1.Pod) { ownedBy(p, "Job", "nightly-1") }),
		stray("behind-the-entry", func(p *corev1.Pod) { p.Labels = map[string]string{"app": "frontend"} }),
		stray("nobodys", func(p *corev1.Pod) { p.Labels = map[string]string{"app": "other"} }),
		stray("of-another-deployment", func(p *corev1.Pod) {
			p.Labels = map[string]string{"app": "web"}
			ownedBy(p, "ReplicaSet", "website-123")
		}),
	)

	want := []plan.Pod{
		{Name: "ready", Member: "web", Release: "r1"},
		{Name: "leaving", Member: "web", Release: "r0", Terminating: true, Due: monday, Finalizers: []string{"kubernetes"}},
		{Name: "by-label"},
		{Name: "by-owner", Member: "web"},
		{Name: "by-cronjob", Member: "nightly"},
		{Name: "behind-the-entry"},
	}
	if diff := cmp.Diff(want, got.Pods); diff != "" {
		t.Errorf("pods (-want +got):\n%s", diff)
	}
}

func TestWhatMayStillMakePodsCountsAsOne(t *testing.T) {
	nightly := &batchv1.CronJob{ObjectMeta: inSlot("nightly", stackLabels()), Spec: batchv1.CronJobSpec{Suspend: new(true)}}
	job := func(name string, conditions ...batchv1.JobCondition) *batchv1.Job {
		return &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: []metav1.OwnerReference{{Kind: "CronJob", Name: "nightly", Controller: new(true)}}},
			Status:     batchv1.JobStatus{Conditions: conditions},
		}
	}
	unseen := rolledOut("unseen", "r1", 0)
	unseen.Generation++ // its controller has not seen that it is to stop

	got := slotFacts(
		t, nil, nightly, rolledOut("stopped", "r1", 0), unseen,
		job("backing-off"), job("done", batchv1.JobCondition{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}),
		job("failed", batchv1.JobCondition{Type: batchv1.JobFailed, Status: corev1.ConditionTrue}),
	)

	want := []plan.Pod{
		{Name: "(of Deployment/unseen, which has not stopped yet)", Member: "unseen", Release: "r1"},
		{Name: "(of Job/backing-off, which is not done)", Member: "nightly"},
	}
	if diff := cmp.Diff(want, got.Pods); diff != "" {
		t.Errorf("pods (-want +got):\n%s", diff)
	}
}

func TestEndpointsOfTheReleaseAlone(t *testing.T) {
	leaving := endpoint("c", true)
	leaving.Conditions.Terminating = new(true)
	published := endpoint("d", true)
	published.Conditions.Serving = new(false)
	all := sliceOf("web", endpoint("a", true), endpoint("b", false), leaving, published, endpoint("old", true), endpoint("unseen", true))
	secondFamily := sliceOf("web", endpoint("a", true))
	elsewhere := sliceOf("other", endpoint("a", true))
	pods := []client.Object{
		podOf("a", "r1"), podOf("b", "r1"), podOf("c", "r1"), podOf("d", "r1"), podOf("old", "r0"),
	}
	tests := []struct {
		name    string
		service *corev1.Service
		want    plan.Service
	}{
		{"stamped", serviceOf("web", "r1"), plan.Service{Name: "web", Release: "r1", Ports: []int32{80}, Endpoints: 1}},
		{"stamped with a release that has no Pod", serviceOf("web", "r2"), plan.Service{Name: "web", Release: "r2", Ports: []int32{80}}},
		{"without a stamp", with(serviceOf("web", ""), func(s *corev1.Service) { delete(s.Spec.Selector, v1alpha1.LabelRelease) }), plan.Service{Name: "web", Ports: []int32{80}, Endpoints: 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := slotFacts(t, nil, append(slices.Clone(pods), tt.service, all, secondFamily, elsewhere)...)
			if diff := cmp.Diff([]plan.Service{tt.want}, got.Services); diff != "" {
				t.Errorf("services (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	waiting := func(reason, message string) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: "main", Image: "shop/web:1", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
	}
	ended := func(code int32, message string) *corev1.ContainerStateTerminated {
		return &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Error", Message: message}
	}
	loop := waiting("CrashLoopBackOff", "back-off 10s")
	loop.LastTerminationState.Terminated = ended(3, "no database\n")
	restarted := corev1.ContainerStatus{Name: "main", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	restarted.LastTerminationState.Terminated = ended(3, "")
	ready := *restarted.DeepCopy()
	ready.Ready = true
	killed := corev1.ContainerStatus{Name: "main", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}}}
	long := corev1.ContainerStatus{Name: "main", State: corev1.ContainerState{Terminated: ended(1, strings.Repeat("x", 1000)+"the end")}}

	tests := []struct {
		name   string
		status corev1.ContainerStatus
		want   string
	}{
		{"an image that is not there", waiting("ImagePullBackOff", "not found"), "ImagePullFailed: Pod p: image shop/web:1 of container main cannot be pulled: not found (ImagePullBackOff)"},
		{"a Secret that is not there", waiting("CreateContainerConfigError", `secret "db" not found`), `ReferenceMissing: Pod p: container main cannot be configured: secret "db" not found (CreateContainerConfigError)`},
		{"a crash loop", loop, "Crashing: Pod p: container main ended with exit code 3: no database"},
		{"out of memory", killed, "Crashing: Pod p: container main ended with exit code 137: OOMKilled"},
		{"started again since", restarted, "Crashing: Pod p: container main ended with exit code 3, and was started again; kubectl logs --previous shows what it said"},
		{"ready since", ready, ""},
		{"being created", waiting("ContainerCreating", ""), ""},
		{"a long last message", long, "Crashing: Pod p: container main ended with exit code 1: …" + strings.Repeat("x", lastWords-len("the end")) + "the end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pod := podOf("p", "r1")
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{tt.status}
			d := rolledOut("web", "r1", 1)
			d.Status.ReadyReplicas = 0

			got := slotFacts(t, nil, d, pod).Workloads[0].Problem

			if text(got) != tt.want {
				t.Errorf("problem\n got %s\nwant %s", text(got), tt.want)
			}
		})
	}
}

func text(p *plan.Problem) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%s: %s", p.Reason, p.Message)
}

func TestProblemsOfOthersAreNone(t *testing.T) {
	crashing := func(pod *corev1.Pod) *corev1.Pod {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}}}
		return pod
	}
	d := rolledOut("web", "r1", 1)
	d.Status.ReadyReplicas = 0

	got := slotFacts(t, nil, d, crashing(podOf("old", "r0")), crashing(terminating(podOf("leaving", "r1")))).Workloads[0]

	if got.Problem != nil {
		t.Errorf("problem %q, want none: the Pods are of another release, or on their way out", got.Problem.Message)
	}
}

func TestRefusedPods(t *testing.T) {
	tests := map[string]string{
		`pods "web-1" is forbidden: exceeded quota: small, requested: cpu=1`: v1alpha1.ReasonQuotaExceeded,
		`admission webhook "policy" denied the request: no latest tag`:       v1alpha1.ReasonAdmissionRefused,
	}
	for message, reason := range tests {
		d := rolledOut("web", "r1", 1)
		d.Status.ReadyReplicas = 0
		d.Status.Conditions = append(d.Status.Conditions, appsv1.DeploymentCondition{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: message})
		got := slotFacts(t, nil, d).Workloads[0].Problem
		if got == nil || got.Reason != reason || !strings.Contains(got.Message, message) {
			t.Errorf("problem %s, want reason %s and the message %q", text(got), reason, message)
		}
	}
}

func TestBinds(t *testing.T) {
	stack := WithDefaults(smallestStack())
	good := func() *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{
			RoleRef:  rbacv1.RoleRef{Kind: "ClusterRole", Name: v1alpha1.ReleaserClusterRole},
			Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "home", Name: "lockstep-releaser"}},
		}
	}
	if !binds(good(), stack) {
		t.Error("the RoleBinding that Lockstep makes does not count")
	}
	for name, change := range map[string]func(*rbacv1.RoleBinding){
		"another role":      func(b *rbacv1.RoleBinding) { b.RoleRef.Name = "view" },
		"a Role":            func(b *rbacv1.RoleBinding) { b.RoleRef.Kind = "Role" },
		"another account":   func(b *rbacv1.RoleBinding) { b.Subjects[0].Name = "default" },
		"another namespace": func(b *rbacv1.RoleBinding) { b.Subjects[0].Namespace = "other" },
		"a user":            func(b *rbacv1.RoleBinding) { b.Subjects[0].Kind = "User" },
	} {
		if b := good(); binds(with(b, change), stack) {
			t.Errorf("a binding of %s counts", name)
		}
	}
}
