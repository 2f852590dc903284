package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// step is a command of a story that is a move of one of two processes, or of what they meet: how the model check tells what
// it has found.
func (s *story) step(command string, words []string) {
	if s.both == nil {
		s.both = newState(s.w, s.watch)
	}
	m := s.both.parseMove(command, words)
	if !s.both.can(m) {
		fmt.Fprintf(&s.out, "  there is nothing to %s\n", command)
		return
	}
	before := s.seen()
	if m.verb == write || m.verb == send {
		fmt.Fprintf(&s.out, "  %s\n", told(s.both.ops[m.who].Task(int(m.what))))
	}
	s.both.apply(m)
	if now := s.seen(); now != before {
		fmt.Fprintf(&s.out, "%s %s\n", s.clock(), now)
	}
	s.effects()
	if m.verb == look || m.verb == save {
		s.listTasks(int(m.who))
	}
}

func (s *story) tick(words []string) {
	if len(words) == 0 {
		s.w.Tick(nil)
		return
	}
	s.step("tick", words)
}

func (s *story) crash(words []string) {
	if len(words) == 0 {
		s.op.Crash()
		return
	}
	s.step("crash", words)
}

// listTasks are what a process is about to do, by the numbers that write and send take.
func (s *story) listTasks(who int) {
	o := s.both.ops[who]
	for i := range o.Tasks() {
		fmt.Fprintf(&s.out, "  %d: %s\n", i, told(o.Task(i)))
	}
	if o.Unsaved() {
		fmt.Fprintf(&s.out, "  it has a plan to save\n")
	}
}

func (s *state) parseMove(command string, words []string) move {
	verbs := map[string]verb{"look": look, "save": save, "write": write, "tick": tick, "read": read, "send": send, "land": land, "crash": kill}
	m := move{verb: verbs[command]}
	switch m.verb {
	case land:
		return m
	case tick:
		m.what = uint8(slices.Index(groups, words[0]))
		return m
	default:
	}
	m.who = uint8(number(words[0]) - 1)
	switch {
	case m.verb == read:
		m.what = uint8(slices.Index(s.parts(), words[1]))
	case len(words) > 1:
		m.what = uint8(number(words[1]))
	}
	return m
}

// can is whether there is anything to do it with: once a planner is mended, a story may come out otherwise.
func (s *state) can(m move) bool {
	o := s.ops[m.who]
	switch m.verb {
	case write, send:
		return int(m.what) < o.Tasks()
	case save:
		return o.Unsaved()
	case look, read:
		return o.Tasks() == 0 && !o.Unsaved()
	case land:
		return len(s.late) > 0
	default:
		return true
	}
}

// settle is the command that asks whether all has come to a good end; among hands, what is left to people may stand.
func (s *story) settle(words []string) {
	check := settled
	if len(words) > 0 {
		check = settledAmongHands
	}
	s.fail(check(s.w))
}

// counterexample is the way to a broken promise as a story that can be put into testdata as it is.
func counterexample(t *testing.T, commands []string) string {
	s := newStory(t)
	s.goesOn = true
	for _, line := range commands {
		s.command(line)
	}
	archive := &txtar.Archive{Files: []txtar.File{
		{Name: "story", Data: []byte(strings.Join(commands, "\n") + "\n")},
		{Name: "transcript", Data: []byte(s.out.String())},
	}}
	return string(txtar.Format(archive))
}
