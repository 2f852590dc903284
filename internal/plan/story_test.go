package plan_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
	"github.com/lockstep-dev/lockstep/internal/testkit/world"
)

var update = flag.Bool("update", false, "write what the planner does into testdata")

// TestStories tells each story of testdata in the simulated world. The commands come first; what came of them is the
// file "transcript". Promises are watched over at every step.
func TestStories(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { tell(t, path) })
	}
}

func tell(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := newStory(t)
	for line := range strings.SplitSeq(string(archive.Files[0].Data), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			s.command(line)
		}
	}
	told := txtar.File{Name: "transcript", Data: []byte(s.out.String())}
	if *update {
		archive.Files = []txtar.File{archive.Files[0], told}
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if len(archive.Files) < 2 {
		t.Fatal("no transcript; run with -update")
	}
	if diff := cmp.Diff(string(archive.Files[1].Data), string(told.Data)); diff != "" {
		t.Errorf("the story differs (-want +got):\n%s", diff)
	}
}

type story struct {
	t     *testing.T
	stack v1alpha1.Stack
	w     *world.World
	op    *world.Operator
	watch *watcher
	out   strings.Builder
	last  string
	told  int
	// both are the two processes of a story that the model check tells, with what they meet.
	both *state
	// goesOn is whether a broken promise is told of, and does not end the story.
	goesOn bool
}

func newStory(t *testing.T) *story { return &story{t: t, stack: world.ShopStack()} }

// begin makes the world once the Stack is complete.
func (s *story) begin() {
	if s.w == nil {
		s.w = world.New(s.stack)
		s.op = world.NewOperator(s.w, "lockstep", nil)
		s.watch = newWatcher(s.w)
	}
}

func (s *story) command(line string) {
	if strings.HasPrefix(line, "#") {
		fmt.Fprintf(&s.out, "%s\n", line)
		return
	}
	fmt.Fprintf(&s.out, "> %s\n", line)
	words := strings.Fields(line)
	if words[0] == "stack" {
		s.setStack(words[1:])
		return
	}
	s.begin()
	do, known := commands[words[0]]
	if !known {
		s.t.Fatalf("no command %q", words[0])
	}
	do(s, words[1:])
	s.check()
}

func (s *story) check() {
	s.fail(s.watch.check())
}

func (s *story) fail(err error) {
	switch {
	case err == nil:
	case s.goesOn:
		fmt.Fprintf(&s.out, "  BROKEN: %v\n", err)
	default:
		s.t.Fatalf("%v\n%s", err, s.out.String())
	}
}

// pass is one pass of the controller, and one step of everyone else.
func (s *story) pass() (busy bool) {
	if s.op.Due() {
		before := s.seen()
		s.op.Pass()
		s.report(before)
		busy = !s.op.Idle
	}
	s.check()
	busy = s.w.Tick(nil) || busy
	s.check()
	return busy
}

// seen is what people see of the status.
func (s *story) seen() string {
	if len(s.w.Stack.Status.Units) == 0 {
		return "nothing on record"
	}
	u := s.w.Stack.Status.Units[0]
	text := "live " + orDash(u.LiveSlot) + "/" + orDash(u.LiveRelease)
	if u.Step != nil {
		text += fmt.Sprintf("; %s at %s", u.ActiveRelease, u.Step.Kind)
		if u.Step.Attempt > 1 {
			text += fmt.Sprintf("#%d", u.Step.Attempt)
		}
		text += in(u.ActiveSlot) + ", " + orDash(u.Step.Reason) + ": " + orDash(u.Step.WaitingFor)
	}
	return text
}

func in(slot string) string {
	if slot == "" {
		return ""
	}
	return " in " + slot
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// report tells what a pass has changed.
func (s *story) report(before string) {
	if now := s.seen(); now != before {
		fmt.Fprintf(&s.out, "%s %s\n", s.clock(), now)
	}
	for _, a := range s.op.Last.Actions {
		fmt.Fprintf(&s.out, "  %s\n", told(a))
	}
	s.effects()
	if slots := s.slots(); slots != s.last {
		s.last = slots
		fmt.Fprintf(&s.out, "  slots: %s\n", slots)
	}
}

// effects tells of writes that came to nothing.
func (s *story) effects() {
	for ; s.told < len(s.w.Log); s.told++ {
		if e := s.w.Log[s.told]; e.Effect != "" && e.Effect != world.Written && e.Action != nil {
			fmt.Fprintf(&s.out, "  … %s %s: %s\n", e.Action.Verb(), e.Action.Object(), e.Effect)
		}
	}
}

func told(a plan.Action) string {
	switch a := a.(type) {
	case plan.Event:
		if a.Warning {
			return "! " + a.Reason + ": " + a.Message
		}
		return "· " + a.Reason + ": " + a.Message
	case plan.ApplyMember:
		return fmt.Sprintf("%s %s ×%d at epoch %d (%s)", a.Verb(), a.Object(), a.Replicas, a.Epoch, a.Why())
	case plan.Scale:
		return fmt.Sprintf("%s %s %s at epoch %d (%s)", a.Verb(), a.Object(), size(a.Replicas), a.Epoch, a.Why())
	case plan.ScaleMinimum:
		return fmt.Sprintf("%s %s to %d at epoch %d (%s)", a.Verb(), a.Object(), a.Minimum, a.Epoch, a.Why())
	case plan.WriteEntry:
		return fmt.Sprintf("%s %s at epoch %d (%s)", a.Verb(), a.Object(), a.Intent.Epoch, a.Why())
	case plan.EndRelease:
		return fmt.Sprintf("%s %s %s (%s)", a.Verb(), a.Object(), a.Ended.Outcome, a.Ended.Message)
	case plan.AnswerDecision:
		return fmt.Sprintf("%s %s %s: %s", a.Verb(), a.Object(), a.Result, a.Message)
	}
	return fmt.Sprintf("%s %s (%s)", a.Verb(), a.Object(), a.Why())
}

func size(replicas *int32) string {
	if replicas == nil {
		return "×same"
	}
	return "×" + strconv.Itoa(int(*replicas))
}

func (s *story) slots() string {
	var parts []string
	for _, slot := range s.w.Stack.Status.Slots {
		text := slot.Name + " " + string(slot.State)
		if slot.Release != "" {
			text += " " + slot.Release
		}
		if slot.Reason != "" {
			text += " (" + slot.Reason + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func (s *story) clock() string {
	d := s.w.Seconds()
	return fmt.Sprintf("%02d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}
