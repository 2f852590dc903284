package cli

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
	"github.com/lockstep-dev/lockstep/internal/view"
)

// TestExitCodes: scripts are built on these numbers.
func TestExitCodes(t *testing.T) {
	for want, err := range map[int]error{
		0: nil,
		1: errors.New("x"),
		2: usagef("x"),
		3: fmt.Errorf("wrapped: %w", timedOutf("x")),
		4: refusedf("x"),
		5: failedf("x"),
	} {
		if got := ExitCode(err); got != want {
			t.Errorf("ExitCode(%v) = %d, want %d", err, got, want)
		}
	}
}

// TestExplained: what the libraries say comes with what to do about it.
func TestExplained(t *testing.T) {
	resource := schema.GroupResource{Group: v1alpha1.Group, Resource: "stacks"}
	for want, err := range map[string]error{
		"kubectl lockstep install":     &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: v1alpha1.Group, Kind: "Stack"}},
		"check --context":              &url.Error{Op: "Get", URL: "https://127.0.0.1", Err: syscall.ECONNREFUSED},
		"log in again":                 apierrors.NewUnauthorized("x"),
		"ask who administers":          apierrors.NewForbidden(resource, "shop", errors.New("no")),
		"stacks.lockstep.dev \"shop\"": apierrors.NewConflict(resource, "shop", errors.New("changed")),
	} {
		if got := explain(err); !strings.Contains(got.Error(), want) || !errors.Is(got, err) {
			t.Errorf("explain(%v) = %v, want %q in it", err, got, want)
		}
	}
}

// TestPassing: a wait outlives what passes by itself, and ends at once for all else.
func TestPassing(t *testing.T) {
	resource := schema.GroupResource{Group: v1alpha1.Group, Resource: "stacks"}
	for err, want := range map[error]bool{
		&url.Error{Op: "Get", URL: "https://127.0.0.1", Err: syscall.ECONNREFUSED}: true,
		explain(apierrors.NewInternalError(errors.New("x"))):                       true,
		apierrors.NewTooManyRequests("x", 1):                                       true,
		apierrors.NewForbidden(resource, "shop", errors.New("no")):                 false,
		apierrors.NewNotFound(resource, "shop"):                                    false,
		failedf("x"):                                                               false,
		errors.New("any"):                                                          false,
	} {
		if got := passing(err); got != want {
			t.Errorf("passing(%v) = %v", err, got)
		}
	}
}

// TestDigest: an image is named by its digest, from the registry; what is no digest is refused before anything is applied.
func TestDigest(t *testing.T) {
	sum := "sha256:" + strings.Repeat("0a", 32)
	for _, c := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"--registry", "registry.example.com/x", "--digest", sum}, "image: registry.example.com/x/controller@" + sum, 0},
		{[]string{"--digest", "latest"}, "64 hexadecimal digits", ExitUsage},
		{[]string{"--digest", sum, "--tag", "v1"}, "not both", ExitUsage},
	} {
		var out bytes.Buffer
		o := Defaults()
		o.IOStreams = genericclioptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &out}
		cmd := New(o)
		cmd.SetArgs(append([]string{"install", "--print"}, c.args...))
		err := cmd.ExecuteContext(t.Context())
		text := out.String()
		if err != nil {
			text += err.Error()
		}
		if !strings.Contains(text, c.want) || ExitCode(err) != c.code {
			t.Errorf("install %v: %v, want %q and code %d", c.args, err, c.want, c.code)
		}
	}
}

// TestMoved: every manifest that lives in the controller's namespace follows it, and its images come from the registry.
func TestMoved(t *testing.T) {
	objects, err := place{namespace: "ops", Options: config.Options{Registry: "registry.example.com/x"}}.manifests()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := printObjects(objects)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, []byte(config.Namespace)) {
		t.Errorf("something stays in %s", config.Namespace)
	}
	if want := "image: registry.example.com/x/controller:dev"; !bytes.Contains(raw, []byte(want)) {
		t.Errorf("%q is not installed", want)
	}
}

// TestLoosened: a policy that lets some requests pass by is not the one that ships.
func TestLoosened(t *testing.T) {
	shipped, err := config.Policy()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range [][]string{{"spec", "matchConditions"}, {"spec", "matchConstraints", "excludeResourceRules"}, {"spec", "matchConstraints", "namespaceSelector", "matchLabels"}} {
		found := shipped[0].DeepCopy()
		if !within(shipped[0].Object["spec"], found.Object["spec"]) || loosened(found) {
			t.Fatal("the policy that ships is refused")
		}
		if err := unstructured.SetNestedField(found.Object, map[string]any{"x": "y"}, path...); err != nil {
			t.Fatal(err)
		}
		if !loosened(found) {
			t.Errorf("%v is not noticed", path)
		}
	}
	weaker := shipped[1].DeepCopy()
	_ = unstructured.SetNestedStringSlice(weaker.Object, []string{"Audit"}, "spec", "validationActions")
	if within(shipped[1].Object["spec"], weaker.Object["spec"]) {
		t.Error("a binding that only audits is not noticed")
	}
}

// TestPlace: on a terminal the picture is drawn over the one before; elsewhere changes follow each other.
func TestPlace(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for place, want := range map[bool]string{
		true:  "\x1b[2J\x1b[Hone\x1b[K\n\x1b[J\x1b[Htwo\x1b[K\n\x1b[J",
		false: "--- 2026-03-01T12:00:00Z\none\n\n--- 2026-03-01T12:00:00Z\ntwo\n\n",
	} {
		var out bytes.Buffer
		w := &watcher{a: &app{}, place: place}
		w.a.Out = &out
		w.print("one\n", now)
		w.shown = "one\n"
		w.print("two\n", now)
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("in place %v (-want +got):\n%s", place, diff)
		}
	}
}

// TestDrawn: what others wrote is made harmless before it is drawn, and our own colours and movements stay.
func TestDrawn(t *testing.T) {
	const evil = "\x1b[2J\x1b]0;owned\x07\u009b1A\x7f\r\nREADY True"
	var out bytes.Buffer
	stack := v1alpha1.Stack{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	stack.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: evil, Message: evil}}
	w := &watcher{a: &app{}, place: true, cause: errors.New(evil), seen: &view.Input{Stack: stack}}
	w.a.Out, w.a.Clock, w.a.Getenv = &out, clocktesting.NewFakeClock(time.Now()), func(string) string { return "" }
	w.a.Screen = func() (int, bool) { return 80, true }
	if err := w.show(); err != nil {
		t.Fatal(err)
	}
	own := regexp.MustCompile(`\x1b(\[H|\[K|\[J|\[[0-9]*m)|\n`)
	text, drawn := strings.CutPrefix(out.String(), ansiClearAll)
	if !drawn || !strings.Contains(text, "\x1b[33m") {
		t.Errorf("it is not drawn in place and in colour: %q", text)
	}
	if left := own.ReplaceAllString(text, ""); strings.ContainsFunc(left, unicode.IsControl) {
		t.Errorf("a terminal would obey %q", left)
	}
	if regexp.MustCompile(`(?m)^\W*READY True`).MatchString(own.ReplaceAllString(text, "\n")) {
		t.Errorf("a line of others passes for ours: %q", text)
	}
}

// TestOneLine: what is told in a line stays in it, and a terminal obeys nothing of it; logs alone are shown as they are.
func TestOneLine(t *testing.T) {
	const evil = "a\x1b[2J\nREADY  True\r"
	var out bytes.Buffer
	a := &app{}
	a.Out, a.ErrOut, a.Clock = &out, &out, clocktesting.NewFakeClock(time.Now())
	for name, say := range map[string]func(){
		"progress": func() { (&progress{out: &out, now: a.Clock.Now, began: a.Clock.Now()}).line(evil) },
		"event":    func() { a.printNew([]view.Event{{Message: evil}}, map[string]bool{}, outputText) },
		"check":    func() { _ = a.printChecks([]check{{Verdict: verdictFail, Message: evil}}, outputText) },
		"table":    func() { _ = table(&out, []string{"MESSAGE"}, [][]string{{evil}}) },
	} {
		out.Reset()
		say()
		if text := strings.TrimPrefix(out.String(), "MESSAGE\n"); strings.Count(text, "\n") != 1 || strings.ContainsAny(text, "\x1b\r") {
			t.Errorf("%s: %q", name, text)
		}
	}
	out.Reset()
	(&logs{app: a, f: &logFlags{}}).line(logLine{prefix: "cart/1", text: "\x1b[31mred\x1b[0m"})
	if got, want := out.String(), "[cart/1] \x1b[31mred\x1b[0m\n"; got != want {
		t.Errorf("a log says %q, want %q", got, want)
	}
}

// TestEncoded: documents hold everything, and nothing that a terminal would obey.
func TestEncoded(t *testing.T) {
	const evil = "käse \x1b[2J\x7f\u0085\u009b1A"
	for _, o := range []output{outputJSON, outputYAML} {
		var out bytes.Buffer
		if err := o.encode(&out, map[string]string{"message": evil}); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(strings.ReplaceAll(out.String(), "\n", ""), unicode.IsControl) {
			t.Errorf("a terminal would obey %q", out.String())
		}
		var back map[string]string
		if err := yaml.Unmarshal(out.Bytes(), &back); err != nil || back["message"] != evil {
			t.Errorf("-o %s says %q, which is %q, %v", o, out.String(), back, err)
		}
	}
}

// TestDisconnected: whoever watches must not take an old picture for a new one.
func TestDisconnected(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w := &watcher{cause: errors.New("connection refused"), lost: now.Add(-90 * time.Second), seen: &view.Input{}}
	if got := w.disconnected(now); !strings.Contains(got, "NOT CONNECTED for 1m30s") || !strings.Contains(got, "connection refused") {
		t.Errorf("it says %q", got)
	}
}

// TestSilence: a controller that stops answering changes nothing, and whoever watches is told all the same.
func TestSilence(t *testing.T) {
	var out bytes.Buffer
	made := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w := &watcher{a: &app{}, place: true, seen: &view.Input{Decisions: []v1alpha1.Decision{{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(made)}}}}}
	w.a.Out, w.a.Screen, w.a.Getenv = &out, func() (int, bool) { return 80, true }, func(string) string { return "" }
	for after, want := range []bool{false, true} {
		out.Reset()
		w.a.Clock = clocktesting.NewFakeClock(made.Add(time.Duration(after) * time.Minute))
		if err := w.show(); err != nil || strings.Contains(out.String(), "NoAnswer") != want {
			t.Errorf("after %dm: %v, and is it told? want %v:\n%s", after, err, want, out.String())
		}
	}
}

// TestDone: Done is when nothing of the release before is kept any more.
func TestDone(t *testing.T) {
	live := &v1alpha1.Release{Status: v1alpha1.ReleaseStatus{Ended: &v1alpha1.ReleaseEnded{Outcome: v1alpha1.OutcomeLive}}}
	stack := &v1alpha1.Stack{Status: v1alpha1.StackStatus{Slots: []v1alpha1.SlotStatus{{State: v1alpha1.SlotLive}, {State: v1alpha1.SlotWarm}}}}
	for to, want := range map[goal]bool{goalHold: true, goalLive: true, goalDone: false} {
		if got, err := reached(stack, live, to); got != want || err != nil {
			t.Errorf("with a warm slot, %s is reached: %v, %v", to, got, err)
		}
	}
	stack.Status.Slots[1].State = v1alpha1.SlotIdle
	if got, _ := reached(stack, live, goalDone); !got {
		t.Error("with an idle slot, Done is not reached")
	}
}

// TestDocument: a watch with -o prints a document per change, and none because time went by.
func TestDocument(t *testing.T) {
	var out bytes.Buffer
	stack := v1alpha1.Stack{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	w := &watcher{a: &app{}, o: outputJSON, seen: &view.Input{Stack: stack}}
	w.a.Out = &out
	for range 3 {
		w.seen = &view.Input{Stack: stack, Now: w.seen.Now.Add(time.Second)}
		if err := w.show(); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(out.String(), `"name": "shop"`); n != 1 {
		t.Errorf("%d documents were printed, want 1", n)
	}
}
