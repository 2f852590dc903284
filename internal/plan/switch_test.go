package plan

import (
	"testing"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// A proof that is renewed meanwhile does not hide what someone has to mend.
func TestWhatSomeoneHasToActUponGoesFirst(t *testing.T) {
	renewed := &Problem{Reason: v1alpha1.ReasonCheckingContent}
	silent := &Problem{Reason: v1alpha1.ReasonServiceSilent}
	for _, test := range []struct{ a, b, want *Problem }{{renewed, silent, silent}, {renewed, nil, renewed}, {nil, silent, silent}, {nil, nil, nil}} {
		if got := firstToAct(test.a, test.b); got != test.want {
			t.Errorf("of %v and %v: %v", test.a, test.b, got)
		}
	}
}
