package render

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

const workloadsOfEveryKind = `
-- all.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web, tier: front}}
    spec:
      initContainers: [{name: init, image: init:1}]
      containers: [{name: web, image: web:1}, {name: proxy, image: proxy:1}]
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: queue}, spec: {replicas: 3, template: {metadata: {labels: {app: queue}}}}}
---
{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: agent}}
---
{apiVersion: batch/v1, kind: CronJob, metadata: {name: nightly}, spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: nightly:1}]}}}}}}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: once}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}}}
---
{apiVersion: v1, kind: Service, metadata: {name: front}, spec: {selector: {tier: front}}}
---
{apiVersion: v1, kind: Service, metadata: {name: none}, spec: {}}
---
{apiVersion: v1, kind: Service, metadata: {name: elsewhere}, spec: {selector: {app: elsewhere}}}
`

func TestMembersAreFound(t *testing.T) {
	req := plainRequest(checkoutOf(t, workloadsOfEveryKind))
	req.Members = []v1alpha1.Member{
		{Name: "nightly", Role: v1alpha1.RoleService, DependsOn: []v1alpha1.Dependency{{Name: "queue"}}},
		{Name: "once", Role: v1alpha1.RoleService},
		{Name: "queue", Role: v1alpha1.RoleWorker},
	}
	want := []v1alpha1.ReleaseMember{
		{Name: "agent", Kind: "DaemonSet", Role: "Service", Replicas: 1},
		{Name: "nightly", Kind: "CronJob", Role: "Worker", Replicas: 1, Images: []string{"nightly:1"}, DependsOn: []string{"queue"}},
		{Name: "once", Kind: "Job", Role: "Service", Replicas: 1},
		{Name: "queue", Kind: "StatefulSet", Role: "Worker", Replicas: 3},
		{Name: "web", Kind: "Deployment", Role: "Service", Replicas: 1, Images: []string{"init:1", "web:1", "proxy:1"}, Services: []string{"front", "web"}},
	}
	if diff := cmp.Diff(want, must(t, req).Members); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

func TestAutoscalersAreFound(t *testing.T) {
	const scaler = `
---
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: %s}, spec: {%s, scaleTargetRef: {apiVersion: apps/v1, kind: %s, name: %s}}}
`
	req := plainRequest(checkoutOf(t, workloadsOfEveryKind+
		fmt.Sprintf(scaler, "web-scaler", "minReplicas: 2, maxReplicas: 5", "Deployment", "web")+
		fmt.Sprintf(scaler, "queue-scaler", "maxReplicas: 3", "StatefulSet", "queue")+
		fmt.Sprintf(scaler, "other", "maxReplicas: 3", "Deployment", "agent")))
	got := map[string]*v1alpha1.ReleaseAutoscaler{}
	for _, m := range must(t, req).Members {
		if m.Autoscaler != nil {
			got[m.Name] = m.Autoscaler
		}
	}
	want := map[string]*v1alpha1.ReleaseAutoscaler{
		"web":   {Name: "web-scaler", MinReplicas: 2, MaxReplicas: 5},
		"queue": {Name: "queue-scaler", MinReplicas: 1, MaxReplicas: 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("autoscalers (-want +got):\n%s", diff)
	}
}

func TestJobsAreWorkersByDefault(t *testing.T) {
	for _, m := range must(t, plainRequest(checkoutOf(t, workloadsOfEveryKind))).Members {
		if want := m.Kind == "Job" || m.Kind == "CronJob"; want != (m.Role == v1alpha1.RoleWorker) {
			t.Errorf("%s is a %s", m.Kind, m.Role)
		}
	}
}

func TestMembersThatAreRefused(t *testing.T) {
	on := func(names ...string) []v1alpha1.Dependency {
		var result []v1alpha1.Dependency
		for _, name := range names {
			result = append(result, v1alpha1.Dependency{Name: name})
		}
		return result
	}
	tests := map[string]struct {
		members []v1alpha1.Member
		reason  string
		says    []string
	}{
		"no such workload": {
			[]v1alpha1.Member{{Name: "wbe"}},
			v1alpha1.ReasonUnknownMember,
			[]string{"wbe", "agent, nightly, once, queue, web"},
		},
		"depends on nothing": {
			[]v1alpha1.Member{{Name: "web", DependsOn: on("qeue")}},
			v1alpha1.ReasonUnknownMember,
			[]string{"web depends on qeue", "queue"},
		},
		"circle": {
			[]v1alpha1.Member{{Name: "web", DependsOn: on("queue")}, {Name: "queue", DependsOn: on("agent", "web")}},
			v1alpha1.ReasonDependencyCycle,
			[]string{"queue → web → queue", "dependsOn"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			req := plainRequest(checkoutOf(t, workloadsOfEveryKind))
			req.Members = test.members
			_, err := renderAll(&req)
			wantRefusal(t, err, test.reason, test.says...)
		})
	}
}

func TestImagesAreReplaced(t *testing.T) {
	req := plainRequest(checkoutOf(t, workloadsOfEveryKind))
	before := must(t, req)
	req.Images = []v1alpha1.ImageOverride{
		{Member: "web", Image: "web:2"},                       // the container of the member's name
		{Member: "web", Container: "proxy", Image: "proxy:2"}, // by name
		{Member: "web", Container: "init", Image: "init:2"},   // an init container by name
		{Member: "nightly", Image: "nightly:2"},               // the only one
	}
	after := must(t, req)
	var images []string
	for _, m := range after.Members {
		images = append(images, m.Images...)
	}
	if diff := cmp.Diff([]string{"nightly:2", "init:2", "web:2", "proxy:2"}, images); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if before.Digest == after.Digest || before.Slots[0].Digest == after.Slots[0].Digest {
		t.Error("other images have the same digest")
	}
}

func TestImagesThatAreRefused(t *testing.T) {
	tests := map[string]struct {
		image v1alpha1.ImageOverride
		says  []string
	}{
		"no such member":    {v1alpha1.ImageOverride{Member: "wbe", Image: "x"}, []string{"wbe", "agent, nightly, once, queue, web"}},
		"no such container": {v1alpha1.ImageOverride{Member: "web", Container: "x", Image: "x"}, []string{"container x", "init, web, proxy"}},
		"which container":   {v1alpha1.ImageOverride{Member: "app", Image: "x"}, []string{"app", "a, b"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files := workloadsOfEveryKind
			if test.image.Member == "app" {
				files = "-- web.yaml --\n" + strings.NewReplacer("name: web", "name: app", "[{name: app, image: web:1}]", "[{name: a}, {name: b}]").Replace(strings.ReplaceAll(web, "[{name: web, image: web:1}]", "[{name: a}, {name: b}]"))
			}
			req := plainRequest(checkoutOf(t, files))
			req.Images = []v1alpha1.ImageOverride{test.image}
			_, err := renderAll(&req)
			wantRefusal(t, err, v1alpha1.ReasonUnknownMember, test.says...)
		})
	}
}
