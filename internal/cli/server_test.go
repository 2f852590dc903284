package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/cli"
	"github.com/lockstep-dev/lockstep/internal/testkit/apiserver"
)

// terminal runs commands against a real API server, as people do: with a kubeconfig, and as someone.
type terminal struct {
	t      *testing.T
	server *apiserver.Server
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	server, err := apiserver.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(kubeconfigOf(server.Config), kubeconfig); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", kubeconfig)
	return &terminal{t: t, server: server}
}

func kubeconfigOf(c *rest.Config) clientcmdapi.Config {
	return clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: c.Host, CertificateAuthorityData: c.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"test": {ClientCertificateData: c.CertData, ClientKeyData: c.KeyData}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "test", Namespace: "shop"}},
		CurrentContext: "test",
	}
}

// buffer can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start begins a command; the code comes when it ends.
func (tt *terminal) start(ctx context.Context, line string) (*buffer, <-chan int) {
	out := &buffer{}
	options := cli.Defaults()
	options.IOStreams = genericclioptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: out}
	options.Screen = func() (int, bool) { return 0, false }
	root := cli.New(options)
	root.SetArgs(strings.Fields(line))
	code := make(chan int, 1)
	go func() { code <- cli.Run(ctx, root) }()
	return out, code
}

// run runs a command, which must exit with a code and say all of the words.
func (tt *terminal) run(line string, code int, words ...string) {
	tt.t.Helper()
	ctx, cancel := context.WithTimeout(tt.t.Context(), time.Minute)
	defer cancel()
	out, ended := tt.start(ctx, line)
	if got := <-ended; got != code {
		tt.t.Errorf("%s exited with %d, want %d:\n%s", line, got, code, out)
	}
	for _, w := range words {
		if !strings.Contains(out.String(), w) {
			tt.t.Errorf("%s does not say %q:\n%s", line, w, out)
		}
	}
}

func (tt *terminal) must(err error) {
	tt.t.Helper()
	if err != nil {
		tt.t.Fatal(err)
	}
}

func (tt *terminal) make(objects ...client.Object) {
	tt.t.Helper()
	for _, o := range objects {
		tt.must(tt.server.Client.Create(tt.t.Context(), o))
	}
}

func shopStack() *v1alpha1.Stack {
	return &v1alpha1.Stack{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: "shop"},
		Spec: v1alpha1.StackSpec{
			Source:  v1alpha1.Source{Git: v1alpha1.GitSource{URL: "https://git.example.com/shop.git", Ref: v1alpha1.GitRef{Branch: "main"}, Path: "."}, Plain: &v1alpha1.PlainSource{}},
			Entries: []v1alpha1.Entry{{Name: "web", HTTPRoute: &v1alpha1.HTTPRouteEntry{Name: "web"}, Backend: v1alpha1.Backend{Service: "frontend", Port: 80}}},
		},
	}
}

func binding(role, user string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role, Namespace: "shop"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
}

// TestRealServer takes a release through a real API server, with the roles and the policy that ship; the test is the
// controller.
func TestRealServer(t *testing.T) {
	tt := newTerminal(t)
	tt.make(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, shopStack(), binding("lockstep-pipeline", "pipeline"), binding("lockstep-decider", "ana"))
	tt.make(&rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "decisions-alone"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{v1alpha1.Group}, Resources: []string{"decisions"}, Verbs: []string{"create"}}},
	}, binding("decisions-alone", "pipeline"))

	tt.run("doctor", 1, "ok    kind stacks.lockstep.dev", "v1alpha1, as shipped", "ok    policy  ", "ok    policy binding", "fail  controller", "User ana")
	tt.run("status", 0, "STACK    shop", "the controller has not looked at this Stack yet", "kubectl lockstep release shop")
	tt.run("release shop --revision v1 --as pipeline", 0, "created")
	tt.run("release shop --revision v1 --as pipeline", 0, "was made before")
	tt.run("release shop --revision v1 --as nobody", 1, "no right")
	tt.run("__complete status s", 0, "shop")

	name := tt.hold()
	tt.run("promote shop --as pipeline", 1, "pipeline may not promote release "+name, "lockstep-decider")
	tt.watched(name)
	tt.run("plan shop --as ana", 0, "ASSUMED")
	tt.skewed()
	tt.run("uninstall", 0, "Deployment lockstep-controller deleted")
	tt.run("doctor", 1, "fail  policy  ")
	tt.run("history shop", 0, name, "Live")
}

// skewed gives the cluster a field that the command does not know; those who may not read definitions are told too.
func (tt *terminal) skewed() {
	tt.t.Helper()
	const same = "with the fields that this command knows"
	tt.run("version", 0, same)
	tt.run("version --as pipeline", 0, same)
	crd := &unstructured.Unstructured{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	tt.must(tt.server.Client.Get(tt.t.Context(), client.ObjectKey{Name: "stacks.lockstep.dev"}, crd))
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	tt.must(err)
	tt.must(unstructured.SetNestedField(versions[0].(map[string]any), "string", "schema", "openAPIV3Schema", "properties", "spec", "properties", "galaxy", "type"))
	tt.must(unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions"))
	crd.SetAnnotations(nil)
	tt.must(tt.server.Client.Update(tt.t.Context(), crd))
	tt.run("status shop", 0, "is older than the kinds in the cluster, which have Stack.spec.galaxy")
	for range 100 { // the API server publishes it a moment later
		out, ended := tt.start(tt.t.Context(), "status shop --as pipeline")
		if tt.code(ended) == 0 && strings.Contains(out.String(), "Stack.spec.galaxy") {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	tt.t.Error("whoever may not read definitions is not told of skew")
}

// hold takes the only release to its hold.
func (tt *terminal) hold() string {
	tt.t.Helper()
	releases := &v1alpha1.ReleaseList{}
	tt.must(tt.server.Client.List(tt.t.Context(), releases))
	if len(releases.Items) != 1 {
		tt.t.Fatalf("%d releases were made, want 1", len(releases.Items))
	}
	r := &releases.Items[0]
	r.Status.Started = &v1alpha1.ReleaseStarted{
		At: metav1.Now(), Digest: "sha256:content", StepsSchema: 1, Steps: []v1alpha1.Step{{Kind: v1alpha1.StepHold}, {Kind: v1alpha1.StepSwitch}},
		Members: []v1alpha1.ReleaseMember{}, Content: []v1alpha1.SlotContent{},
	}
	tt.must(tt.server.Client.Status().Update(tt.t.Context(), r))
	tt.setStep(r.Name, v1alpha1.StepHold)
	return r.Name
}

// setStep takes the release to a step; without one it is live.
func (tt *terminal) setStep(release string, step v1alpha1.StepKind) {
	tt.t.Helper()
	stack := &v1alpha1.Stack{}
	tt.must(tt.server.Client.Get(tt.t.Context(), client.ObjectKey{Namespace: "shop", Name: "shop"}, stack))
	stack.Status.Units = []v1alpha1.UnitStatus{{Name: "all", ActiveRelease: release, Step: &v1alpha1.StepStatus{Kind: step, Attempt: 1, Since: metav1.Now()}}}
	if step == "" {
		stack.Status.Units = []v1alpha1.UnitStatus{{Name: "all", LiveRelease: release, LiveSlot: "blue"}}
	}
	tt.must(tt.server.Client.Status().Update(tt.t.Context(), stack))
}

// watched promotes while someone watches.
func (tt *terminal) watched(name string) {
	tt.t.Helper()
	ctx, stop := context.WithCancel(tt.t.Context())
	watch, watchEnded := tt.start(ctx, "status shop --watch")
	tt.await(watch, "▶ Hold")
	promote, promoted := tt.start(tt.t.Context(), "promote shop --as ana --wait")
	tt.answer(name)
	tt.await(promote, "users are being moved")
	tt.setStep(name, v1alpha1.StepSwitch)
	tt.await(watch, "▶ Switch")
	tt.await(promote, "Switch")
	tt.endLive(name)
	if code := tt.code(promoted); code != 0 {
		tt.t.Errorf("promote exited with %d:\n%s", code, promote)
	}
	stop()
	if code := tt.code(watchEnded); code != 0 {
		tt.t.Errorf("a watch that was interrupted exited with %d:\n%s", code, watch)
	}
}

func (tt *terminal) code(ended <-chan int) int {
	tt.t.Helper()
	select {
	case code := <-ended:
		return code
	case <-time.After(time.Minute):
		tt.t.Error("a command does not end")
		return -1
	}
}

func (tt *terminal) await(b *buffer, text string) {
	tt.t.Helper()
	for range 300 {
		if strings.Contains(b.String(), text) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	tt.t.Fatalf("%q did not come:\n%s", text, b)
}

// answer accepts the Decision that is made for a release, if it is bound to what is there.
func (tt *terminal) answer(release string) {
	tt.t.Helper()
	decisions := &v1alpha1.DecisionList{}
	for range 300 {
		tt.must(tt.server.Client.List(tt.t.Context(), decisions))
		if len(decisions.Items) > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if len(decisions.Items) != 1 {
		tt.t.Fatalf("%d decisions were made, want 1", len(decisions.Items))
	}
	d := &decisions.Items[0]
	if got, want := fmt.Sprint(d.Spec.By, d.Spec.Release, d.Spec.Step, d.Spec.Attempt, d.Spec.Digest), fmt.Sprint("ana", release, "Hold", 1, "sha256:content"); got != want {
		tt.t.Errorf("the decision says %s, want %s", got, want)
	}
	d.Status = v1alpha1.DecisionStatus{Result: v1alpha1.DecisionAccepted, Message: "users are being moved"}
	tt.must(tt.server.Client.Status().Update(tt.t.Context(), d))
}

func (tt *terminal) endLive(release string) {
	tt.t.Helper()
	r := &v1alpha1.Release{}
	tt.must(tt.server.Client.Get(tt.t.Context(), client.ObjectKey{Namespace: "shop", Name: release}, r))
	r.Status.Ended = &v1alpha1.ReleaseEnded{Outcome: v1alpha1.OutcomeLive, Slot: "blue", At: metav1.Now()}
	tt.must(tt.server.Client.Status().Update(tt.t.Context(), r))
	tt.setStep(release, "")
}

const podSecurity = "pod-security.kubernetes.io/enforce"

// namespace is as it is now, and must not be on its way out.
func (tt *terminal) namespace(name string) *corev1.Namespace {
	tt.t.Helper()
	ns := &corev1.Namespace{}
	tt.must(tt.server.Client.Get(tt.t.Context(), client.ObjectKey{Name: name}, ns))
	if ns.DeletionTimestamp != nil {
		tt.t.Errorf("namespace %s is being deleted", name)
	}
	return ns
}

// TestUninstallElsewhere: nothing goes where the controller is not, and no namespace ever does.
func TestUninstallElsewhere(t *testing.T) {
	tt := newTerminal(t)
	tt.make(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})
	tt.run("uninstall --crds -n shop", 1, "not in namespace shop, but in lockstep-system", "nothing was removed", "uninstall -n lockstep-system")
	tt.run("version", 0, "(lockstep-system/lockstep-controller)")
	tt.namespace("shop")
	tt.run("uninstall --crds", 0, "stacks.lockstep.dev deleted", "kubectl delete namespace lockstep-system")
	tt.run("uninstall --crds -n shop", 0, "no controller of Lockstep")
	tt.namespace("shop")
	tt.namespace("lockstep-system")
}

// TestUninstallAgain: an uninstall that stopped after the controller goes on.
func TestUninstallAgain(t *testing.T) {
	tt := newTerminal(t)
	controller := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: config.Namespace, Name: config.Controller}}
	tt.must(tt.server.Client.Delete(tt.t.Context(), controller))
	tt.run("uninstall", 0, "no controller of Lockstep", "ClusterRole lockstep-controller deleted")
	tt.run("uninstall", 0, "there was nothing to remove")
}

// TestInstallIntoNamespace: a namespace that exists keeps its labels; one that is made has those that ship.
func TestInstallIntoNamespace(t *testing.T) {
	tt := newTerminal(t)
	tt.make(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ops", Labels: map[string]string{podSecurity: "privileged"}}})
	for name, want := range map[string]string{"ops": "privileged", "fresh": "restricted"} {
		for range 2 { // the second time it is an upgrade
			tt.run("install --wait=false -n "+name, 0, "Deployment lockstep-controller applied")
			if got := tt.namespace(name).Labels[podSecurity]; got != want {
				t.Errorf("namespace %s enforces %s, want %s", name, got, want)
			}
		}
	}
}
