package plan_test

import (
	"cmp"
	"flag"
	"fmt"
	"math/bits"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockstep-dev/lockstep/internal/testkit/world"
)

var (
	exploreFull   = flag.Bool("explore.full", false, "explore far, and fail where fewer than a million states are visited")
	exploreStates = flag.Int("explore.states", 0, "how many states of each beginning to explore at most")
	exploreOnly   = flag.String("explore.only", strings.Join(goesWrong, ","), "what may go wrong, at most once each but for overlaps")
	exploreFor    = flag.Duration("explore.for", 0, "how long to explore each beginning at most")
)

// beginnings of what is explored, as stories: a release at its hold, promoted, in the middle of handing workers over, live
// with the former one kept, to which one can go back, and one that was only made. Several, since what is found far from
// where one begins costs most. The time limits are short, so that there are few times to tell apart.
var beginnings = []struct{ name, story string }{
	{"hold", small + "given v1\nhold v2"},
	{"switch", small + "given v1\nhold v2\ndecide Promote v2\npass"},
	{"handover", small + "given v1\nhold v2\ndecide Promote v2\npass\npass\ntick\npass"},
	{"live", small + "given v1\ngiven v2"},
	{"deploy", small + "given v1\nrelease v2"},
}

const small = "stack entries=web,admin drain=2s keep=3s deadlines=5s\nsmall\n"

// TestExplore visits every state that the beginnings can come to, in the order of how much must go wrong for it, up to a
// bound.
func TestExplore(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes most of a minute")
	}
	total := 0
	for _, b := range beginnings {
		t.Run(b.name, func(t *testing.T) { total += explore(t, b.story, bound()) })
	}
	t.Logf("%d distinct states", total)
	if *exploreFull && total < 1_000_000 {
		t.Errorf("only %d distinct states were visited", total)
	}
}

// exploration is how much is explored.
type exploration struct {
	states int
	during time.Duration
}

func bound() exploration {
	e := exploration{states: 40_000, during: 7500 * time.Millisecond}
	if *exploreFull {
		e = exploration{states: 300_000, during: 20 * time.Minute}
	}
	return exploration{states: cmp.Or(*exploreStates, e.states), during: cmp.Or(*exploreFor, e.during)}
}

// node is a state that was visited: how one comes to it.
type node struct {
	from uint32
	move move
}

// search is breadth-first in layers: first every state that can be come to while nothing goes wrong and one process works at
// a time, then those that cost one disturbance, or one pass that begins in the middle of another, and so on. So what is
// found has the least that must go wrong, and of that the fewest moves.
type search struct {
	t      *testing.T
	bound  exploration
	began  time.Time
	prefix []string
	nodes  []node
	// seen says of every state, and number of overlaps, with which sets of disturbances it was come to. One that was come to
	// with less needs not be visited again: whatever can happen after more has happened, can happen after less.
	seen map[world.Fingerprint]uint64
	// worlds are the states without what they cost.
	worlds map[world.Fingerprint]struct{}
	// kept are states by which others are found again: every keepEvery-th on each way.
	kept  map[uint32]*state
	depth []uint16
	full  bool
}

const keepEvery = 16

// inHand is how many states of the frontier are kept in memory; the others are found again when it is their turn.
const inHand = 20_000

// found is a state of the frontier.
type found struct {
	id uint32
	s  *state
}

// child is a state that a move leads to.
type child struct {
	move move
	s    *state
	hash world.Fingerprint
	// err is the promise that is broken, and last the command that finds it where it is not the move.
	err  error
	last string
}

func explore(t *testing.T, beginning string, bound exploration) int {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(maxHeap))
	x := &search{t: t, bound: bound, began: time.Now(), seen: map[world.Fingerprint]uint64{}, worlds: map[world.Fingerprint]struct{}{}, kept: map[uint32]*state{}}
	s := newStory(t)
	for line := range strings.SplitSeq(beginning, "\n") {
		x.begin(s, line)
	}
	if part := s.w.Now.Sub(s.w.Now.Truncate(time.Second)); part > 0 {
		x.begin(s, "wait "+(time.Second-part).String()) // from here on it is always a whole second
	}
	x.run(newState(s.w, s.watch).fork())
	return len(x.nodes)
}

func (x *search) begin(s *story, command string) {
	x.prefix = append(x.prefix, command)
	s.command(command)
}

func (x *search) run(start *state) {
	x.seen[start.fingerprint()] = 1
	x.nodes, x.depth = []node{{}}, []uint16{0}
	x.kept[0] = start
	frontier := []found{{0, start}}
	var above [][]uint32
	for layer := 0; (layer == 0 || len(above) > 0) && !x.full && !x.t.Failed(); layer++ {
		before := len(x.nodes)
		above = x.layer(frontier, above)
		frontier = nil
		x.t.Logf("%d things go wrong: %d states, %s", layer, len(x.nodes)-before, x.howFar(len(above)))
	}
	took := time.Since(x.began)
	x.t.Logf("%d distinct states (%d, what they cost left aside) in %s: %.0f a second, %d MiB; all of them: %v", len(x.nodes), len(x.worlds), took.Round(time.Second/10), float64(len(x.nodes))/took.Seconds(), heap()>>20, !x.full && !x.t.Failed())
}

func (x *search) howFar(depth int) string {
	if x.full || x.t.Failed() {
		return fmt.Sprintf("those of up to %d moves", depth)
	}
	return fmt.Sprintf("all there are; the longest way to one has %d moves", depth-1)
}

// layer visits all states of one cost, by the number of moves; above are those that cost one less.
func (x *search) layer(frontier []found, above [][]uint32) [][]uint32 {
	var ids [][]uint32
	for depth := 0; (len(frontier) > 0 || depth < len(above)) && !x.full && !x.t.Failed(); depth++ {
		var further []found
		if depth < len(above) {
			x.expand(len(above[depth]), func(i int) found { return found{id: above[depth][i]} }, wrong, &further)
		}
		x.expand(len(frontier), func(i int) found { return frontier[i] }, nil, &further)
		var visited []uint32
		for _, f := range frontier {
			visited = append(visited, f.id)
		}
		ids = append(ids, visited)
		frontier = further
	}
	if !slices.ContainsFunc(ids, func(visited []uint32) bool { return len(visited) > 0 }) {
		return nil
	}
	return ids
}

// chunk is how many states are expanded before what came of them is taken in, in order, so that it is the same each time.
const (
	chunk   = 512
	workers = 2
)

func (x *search) expand(n int, at func(int) found, moves func(*state) []move, to *[]found) {
	for begin := 0; begin < n && !x.full && !x.t.Failed(); begin += chunk {
		size := min(chunk, n-begin)
		from, children := make([]found, size), make([][]child, size)
		var group sync.WaitGroup
		for worker := range workers {
			group.Go(func() {
				for i := worker; i < size; i += workers {
					from[i] = at(begin + i)
					children[i] = x.children(from[i], moves)
				}
			})
		}
		group.Wait()
		for i := range size {
			x.take(from[i].id, children[i], to)
		}
		x.full = len(x.nodes) >= x.bound.states || time.Since(x.began) > x.bound.during || heap() > maxHeap
	}
}

// maxHeap is the memory, in bytes, at which exploring ends: the machine is not ours alone.
const maxHeap = 3 << 30

func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// wrong are the moves that cost something, as far as they are to be explored.
func wrong(s *state) []move {
	return slices.DeleteFunc(s.disturbed(), func(m move) bool {
		return !strings.Contains(*exploreOnly, goesWrong[bits.Len8(uint8(m.cost()))])
	})
}

func (x *search) children(f found, moves func(*state) []move) []child {
	if f.s == nil {
		f.s = x.again(f.id)
	}
	if moves == nil {
		return x.ordinary(f.s)
	}
	var all []child
	for _, m := range moves(f.s) {
		all = x.follow(all, f.s, m)
	}
	return all
}

// ordinary follows every move of an ordinary day. Where none leads anywhere, time passes; where that leads nowhere either,
// everything must have come to a good end.
func (x *search) ordinary(s *state) []child {
	var all []child
	busy := false
	f := s.fork()
	for _, m := range s.calm() {
		if !f.apply(m) {
			continue // it is as it was
		}
		busy = busy || m.verb == tick
		all = x.judge(all, f, m)
		f = s.fork()
	}
	if busy {
		return all
	}
	if seconds := s.sleep(); seconds > 0 {
		return x.follow(all, s, move{verb: wait, what: seconds})
	}
	if _, quiet := s.quiet(); quiet && !s.ops[0].Remembers() && !s.ops[1].Remembers() && len(s.late) == 0 {
		if command, err := s.atRest(); err != nil {
			all = append(all, child{err: err, s: s, last: command})
		}
	}
	return all
}

func (x *search) follow(all []child, s *state, m move) []child {
	f := s.fork()
	if !f.apply(m) {
		return all
	}
	return x.judge(all, f, m)
}

// judge has every promise asserted, and keeps the state if it is new.
func (x *search) judge(all []child, s *state, m move) []child {
	if err := s.watch.check(); err != nil {
		return append(all, child{err: err, s: s, move: m})
	}
	hash := s.fingerprint()
	if x.known(hash, s) {
		return all
	}
	return append(all, child{move: m, s: s, hash: hash})
}

// known is whether the state was come to at no more cost than this one was.
func (x *search) known(hash world.Fingerprint, s *state) bool {
	for overlaps := range s.overlaps + 1 {
		for sets := x.seen[key(hash, overlaps)]; sets != 0; sets &= sets - 1 {
			if less := disturbances(bits.TrailingZeros64(sets)); less&^s.spent == 0 {
				return true
			}
		}
	}
	return false
}

func key(hash world.Fingerprint, overlaps uint8) world.Fingerprint {
	hash[0] ^= overlaps
	return hash
}

func (x *search) take(from uint32, children []child, to *[]found) {
	for _, c := range children {
		if c.err != nil && !x.t.Failed() {
			fmt.Print(x.story(from, c)) // not by t.Log, which would indent it
			x.t.Errorf("%v: see the story above; put it into testdata, and run it with -run TestStories", c.err)
		}
		if c.err != nil || x.known(c.hash, c.s) {
			continue
		}
		x.seen[key(c.hash, c.s.overlaps)] |= 1 << c.s.spent
		x.worlds[c.hash] = struct{}{}
		id := uint32(len(x.nodes))
		x.nodes = append(x.nodes, node{from, c.move})
		x.depth = append(x.depth, x.depth[from]+1)
		if x.depth[id]%keepEvery == 0 {
			x.kept[id] = c.s
		}
		if len(*to) >= inHand {
			c.s = nil
		}
		*to = append(*to, found{id, c.s})
	}
}

// again finds a state again by the way to it.
func (x *search) again(id uint32) *state {
	var moves []move
	for x.kept[id] == nil {
		moves = append(moves, x.nodes[id].move)
		id = x.nodes[id].from
	}
	s := x.kept[id].fork()
	for _, m := range slices.Backward(moves) {
		s.apply(m)
		if err := s.watch.check(); err != nil {
			panic(err)
		}
		s = s.fork() // as it was done before: processes and the watcher forget what is over
	}
	return s
}

// way is the moves by which one comes to a state.
func (x *search) way(id uint32) []move {
	var moves []move
	for ; id != 0; id = x.nodes[id].from {
		moves = append(moves, x.nodes[id].move)
	}
	slices.Reverse(moves)
	return moves
}

func (x *search) story(from uint32, c child) string {
	if c.last != "" {
		return x.tell(x.way(from), c.last)
	}
	return x.tell(append(x.way(from), c.move))
}

// tell tells the way as a story.
func (x *search) tell(moves []move, last ...string) string {
	s := x.kept[0].fork()
	lines := slices.Clone(x.prefix)
	for _, m := range moves {
		lines = append(lines, m.command(s))
		s.apply(m)
		s.watch.check() //nolint:errcheck // it is known how it ends
		s = s.fork()
	}
	return counterexample(x.t, append(lines, last...))
}
