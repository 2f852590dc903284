package config_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/testkit/apiserver"
)

var server *apiserver.Server

func TestMain(m *testing.M) {
	var err error
	if server, err = apiserver.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = server.Stop()
	os.Exit(code)
}

const smallest = `
apiVersion: lockstep.dev/v1alpha1
kind: Stack
metadata: {name: shop, namespace: default}
spec:
  source: {git: {url: "https://git.example.com/shop.git"}, plain: {}}
  entries:
  - {name: web, httpRoute: {parentRefs: [{name: public}]}, backend: {service: frontend, port: 80}}
`

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestDefaults: a source and an entry are enough.
func TestDefaults(t *testing.T) {
	stack := &v1alpha1.Stack{}
	if err := yaml.Unmarshal([]byte(smallest), stack); err != nil {
		t.Fatal(err)
	}
	if err := server.Client.Create(t.Context(), parse(t, smallest), client.DryRunAll); err != nil {
		t.Fatalf("the smallest Stack is refused: %v", err)
	}
	o := parse(t, smallest)
	if err := server.Client.Create(t.Context(), o, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"spec.start.when": "Manual", "spec.serviceAccountName": "lockstep-releaser", "spec.queue.policy": "Wait",
		"spec.strategy.blueGreen.promotion": "Manual", "spec.strategy.blueGreen.capacity": "Warn", "spec.sessions.drainTimeout": "1m", "spec.source.git.ref.branch": "main",
	} {
		got, _, _ := unstructured.NestedString(o.Object, strings.Split(path, ".")...)
		if got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

// TestContradictions: what contradicts itself is refused on apply, with a message that says what to do.
func TestContradictions(t *testing.T) {
	for _, c := range []struct{ name, old, replacement, want string }{
		{"no way to render", ", plain: {}", "", "exactly one of source.helm, source.kustomize and source.plain"},
		{"two ways to render", ", plain: {}", ", plain: {}, helm: {}", "exactly one of source.helm, source.kustomize and source.plain"},
		{"three ways to render", ", plain: {}", ", plain: {}, kustomize: {}", "exactly one of source.helm, source.kustomize and source.plain"},
		{"an overlay at /", "plain: {}", "kustomize: {path: /overlays}", "source.kustomize.path is relative to source.git.path"},
		{"url", "https://", "ftp://", "must begin with https://, http://, ssh:// or file://"},
		{"no source", `git: {url: "https://git.example.com/shop.git"}, plain: {}`, "plain: {}", "exactly one of source.git and source.inline"},
		{"two sources", ", plain: {}", ", inline: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}]", "exactly one of source.git and source.inline"},
		{"rendered inline objects", `git: {url: "https://git.example.com/shop.git"}, plain: {}`, "plain: {}, inline: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}]", "which are not rendered: remove"},
		{"no inline objects", `git: {url: "https://git.example.com/shop.git"}, plain: {}`, "inline: []", "at least 1 items"},
		{"an inline object of no kind", `git: {url: "https://git.example.com/shop.git"}, plain: {}`, "inline: [{metadata: {name: a}}]", "inline[0].kind: Required value"},
		{"inline objects that are watched", `git: {url: "https://git.example.com/shop.git"}, plain: {}}`, "inline: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}]}\n  start: {when: Commit}", "set start.when: Manual"},
		{"two refs", `.git"}`, `.git", ref: {branch: a, tag: b}}`, "exactly one of branch, tag and commit"},
		{"path outside", `.git"}`, `.git", path: ../x}`, "must lie inside the repository"},
		{"no route", "httpRoute: {parentRefs: [{name: public}]}, ", "", "exactly one of virtualService, httpRoute and service"},
		{"two routes", "httpRoute:", "virtualService: {name: x}, httpRoute:", "exactly one of virtualService, httpRoute and service"},
		{"neither made nor adopted", "parentRefs: [{name: public}]", "", "name the HTTPRoute to adopt, or give parentRefs"},
		{"hostnames of an adopted route", "parentRefs: [{name: public}]", "name: x, hostnames: [a.example.com]", "hostnames belong to a route that Lockstep makes"},
		{"hosts without gateways", "httpRoute: {parentRefs: [{name: public}]}", "virtualService: {hosts: [a.example.com]}", "give both hosts and gateways"},
		{"empty preview", "backend:", "preview: {}, backend:", "a preview needs a header, a cookie or a hostname"},
		{"no rules, but served", "backend:", "insertRules: false, backend:", "set requireEvidence: Accepted"},
		{"too little evidence", "backend:", "requireEvidence: Written, backend:", "requireEvidence: Written is for service entries alone"},
		{"one namespace for two slots", "  entries:", "  slots: [{name: blue, namespace: a}, {name: green, namespace: a}]\n  entries:", "give each slot a namespace of its own"},
		{"one slot", "  entries:", "  slots: [{name: blue, namespace: a}]\n  entries:", "should have at least 2 items"},
		{"two members of one name", "  entries:", "  members: [{name: a}, {name: a}]\n  entries:", "Duplicate value"},
		{"a member that depends on itself", "  entries:", "  members: [{name: a, dependsOn: [{name: a}]}]\n  entries:", "cannot depend on itself"},
		{"a long name", "name: shop,", "name: " + strings.Repeat("a", 41) + ",", "40 characters at most"},
		{"kept small, but not kept", "  entries:", "  strategy: {blueGreen: {keepPrevious: {for: 0s, replicas: 1}}}\n  entries:", "with for: 0s nothing is kept"},
		{"yields, but is not kept", "  entries:", "  strategy: {blueGreen: {keepPrevious: {for: 0s, yield: true}}}\n  entries:", "with for: 0s nothing is kept"},
		{"kept at no size", "  entries:", "  strategy: {blueGreen: {keepPrevious: {replicas: 0}}}\n  entries:", "greater than or equal to 1"},
		{"capacity", "  entries:", "  strategy: {blueGreen: {capacity: Maybe}}\n  entries:", "Unsupported value"},
		{"render for ever", "  entries:", "  deadlines: {render: 31m}\n  entries:", "at most 30m"},
		{"port", "port: 80", "port: 0", "greater than or equal to 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(smallest, c.old, c.replacement, 1)
			if text == smallest {
				t.Fatalf("%q is not in the manifest", c.old)
			}
			err := server.Client.Create(t.Context(), parse(t, text), client.DryRunAll)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestImmutable: a Release's spec, what was frozen when it started, and a Decision cannot be changed.
func TestImmutable(t *testing.T) {
	ctx := t.Context()
	r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{GenerateName: "r-", Namespace: "default"}, Spec: v1alpha1.ReleaseSpec{Stack: "shop", Revision: "main"}}
	must(t, server.Client.Create(ctx, r))
	changed := r.DeepCopy()
	changed.Spec.Revision = "other"
	refused(t, server.Client.Update(ctx, changed), "a Release cannot be changed")

	r.Status.Started = &v1alpha1.ReleaseStarted{At: metav1.Now(), Digest: "a", StepsSchema: 1, Steps: []v1alpha1.Step{}, Members: []v1alpha1.ReleaseMember{}, Content: []v1alpha1.SlotContent{}}
	must(t, server.Client.Status().Update(ctx, r))
	r.Status.Started.Digest = "b"
	refused(t, server.Client.Status().Update(ctx, r), "cannot be changed")

	d := decision(r, v1alpha1.VerbAbort, "system:admin-of-the-test")
	as := user(t, d.Spec.By, "system:masters")
	must(t, as.Create(ctx, d))
	d.Spec.Reason = "another"
	refused(t, as.Update(ctx, d), "a Decision cannot be changed")
}

func decision(r *v1alpha1.Release, verb v1alpha1.Verb, by string) *v1alpha1.Decision {
	d := &v1alpha1.Decision{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "d-", Namespace: r.Namespace},
		Spec:       v1alpha1.DecisionSpec{Release: r.Name, ReleaseUID: string(r.UID), Verb: verb, By: by},
	}
	if verb == v1alpha1.VerbPromote {
		d.Spec.Step, d.Spec.Attempt, d.Spec.Digest = v1alpha1.StepHold, 1, "d"
	}
	return d
}

// TestPolicy: `by` is the caller, and each verb is a right of its own.
func TestPolicy(t *testing.T) {
	ctx := t.Context()
	r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{GenerateName: "r-", Namespace: "default"}, Spec: v1alpha1.ReleaseSpec{Stack: "shop"}}
	must(t, server.Client.Create(ctx, r))
	grant(t, "anna", "promote", "abort")
	grant(t, "ben", "abort")
	anna, ben := user(t, "anna"), user(t, "ben")
	inForce(t, r)

	must(t, anna.Create(ctx, decision(r, v1alpha1.VerbPromote, "anna")))
	must(t, ben.Create(ctx, decision(r, v1alpha1.VerbAbort, "ben")))
	refused(t, ben.Create(ctx, decision(r, v1alpha1.VerbPromote, "ben")), "ben may not promote release "+r.Name)
	refused(t, ben.Create(ctx, decision(r, v1alpha1.VerbAbort, "anna")), "spec.by must be the caller")
	refused(t, server.Client.Create(ctx, decision(r, v1alpha1.VerbAbort, "anna")), "spec.by must be the caller")

	unbound := decision(r, v1alpha1.VerbPromote, "anna")
	unbound.Spec.Digest = ""
	refused(t, anna.Create(ctx, unbound), "a promote is bound to what was seen")
}

// TestRollbackIsDecided: a Release with rollbackOf goes before the queue and does not hold, so that making it takes the verb.
func TestRollbackIsDecided(t *testing.T) {
	r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{GenerateName: "r-", Namespace: "default"}, Spec: v1alpha1.ReleaseSpec{Stack: "shop"}}
	must(t, server.Client.Create(t.Context(), r))
	grant(t, "carl", "create")
	grant(t, "dora", "create", "rollback")
	inForce(t, r)
	release := func(of string) *v1alpha1.Release {
		return &v1alpha1.Release{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "r-", Namespace: "default"},
			Spec:       v1alpha1.ReleaseSpec{Stack: "shop", RollbackOf: of},
		}
	}
	refused(t, user(t, "carl").Create(t.Context(), release(r.Name)), "carl may not rollback release "+r.Name)
	must(t, user(t, "carl").Create(t.Context(), release("")))
	must(t, user(t, "dora").Create(t.Context(), release(r.Name)))
	controller := user(t, "system:serviceaccount:lockstep-system:lockstep-controller", "system:serviceaccounts", "system:authenticated")
	must(t, controller.Create(t.Context(), release(r.Name)))
}

// inForce waits until the API server has taken the policy in.
func inForce(t *testing.T, r *v1alpha1.Release) {
	t.Helper()
	for range 200 {
		if server.Client.Create(t.Context(), decision(r, v1alpha1.VerbAbort, "forged"), client.DryRunAll) != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the policy never came into force")
}

// grant gives a user the right to create Decisions, and verbs on Releases.
func grant(t *testing.T, name string, verbs ...string) {
	t.Helper()
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{v1alpha1.Group}, Resources: []string{"decisions"}, Verbs: []string{"create", "get"}},
			{APIGroups: []string{v1alpha1.Group}, Resources: []string{"releases"}, Verbs: verbs},
		},
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	}
	must(t, server.Client.Create(t.Context(), role))
	must(t, server.Client.Create(t.Context(), binding))
}

// TestReleaserCannotEscalate: the role that teams bind gives no way to more rights.
func TestReleaserCannotEscalate(t *testing.T) {
	must(t, server.Client.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "lockstep-releaser", Namespace: "default"}}))
	must(t, server.Client.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "releaser", Namespace: "default"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: v1alpha1.ReleaserClusterRole},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "lockstep-releaser", Namespace: "default"}},
	}))
	releaser := user(t, "system:serviceaccount:default:lockstep-releaser")
	bound(t, releaser)
	escalation := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "more", Namespace: "default"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "lockstep-releaser", Namespace: "default"}},
	}
	refused(t, releaser.Create(t.Context(), escalation), "forbidden")
	elsewhere := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x", Namespace: "kube-system"}}
	refused(t, releaser.Create(t.Context(), elsewhere), "forbidden")
}

// bound waits until the API server has taken the binding in.
func bound(t *testing.T, releaser client.Client) {
	t.Helper()
	for range 100 {
		if releaser.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "x-", Namespace: "default"}}) == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the releaser has no rights in the namespace that it is bound in")
}

// TestControllerRights: the controller reads no Secret but its own, and may bind and impersonate nothing but the releaser.
func TestControllerRights(t *testing.T) {
	controller := user(t, "system:serviceaccount:lockstep-system:lockstep-controller", "system:serviceaccounts", "system:authenticated")
	ctx := t.Context()
	refused(t, controller.List(ctx, &corev1.SecretList{}), "forbidden")
	refused(t, controller.List(ctx, &corev1.SecretList{}, client.InNamespace("default")), "forbidden")
	must(t, controller.List(ctx, &corev1.SecretList{}, client.InNamespace("lockstep-system")))
	bad := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "bad", Namespace: "default"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: "eve"}},
	}
	refused(t, controller.Create(ctx, bad), "forbidden")
	refused(t, controller.Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "default"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}), "forbidden")
}

// TestControllerReadsWhatItUses: what it only looks up by name it may not list, and what it does not watch not watch.
func TestControllerReadsWhatItUses(t *testing.T) {
	for _, c := range []struct{ group, resource, verbs string }{
		{"", "pods", "list"},
		{"", "serviceaccounts", "get"},
		{"", "services", "get list watch"},
		{"", "nodes", "list"},
		{"apps", "deployments", "get list watch"},
		{"apps", "replicasets", ""},
		{"rbac.authorization.k8s.io", "rolebindings", "get"},
		{"networking.istio.io", "gateways", "get"},
		{"networking.istio.io", "virtualservices", "get list watch"},
		{"gateway.networking.k8s.io", "gateways", "get"},
		{"gateway.networking.k8s.io", "httproutes", "get list watch"},
	} {
		var may []string
		for _, verb := range []string{"get", "list", "watch"} {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User:               "system:serviceaccount:lockstep-system:lockstep-controller",
				ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: c.group, Resource: c.resource, Namespace: "default"},
			}}
			must(t, server.Client.Create(t.Context(), review))
			if review.Status.Allowed {
				may = append(may, verb)
			}
		}
		if got := strings.Join(may, " "); got != c.verbs {
			t.Errorf("the controller may %q %s of %q, want %q", got, c.resource, c.group, c.verbs)
		}
	}
}

func user(t *testing.T, name string, groups ...string) client.Client {
	t.Helper()
	c, err := server.As(name, groups...)
	must(t, err)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want a refusal that says %q", err, want)
	}
}
