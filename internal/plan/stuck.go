package plan

import (
	"fmt"
	"strings"
	"time"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// stuckAfter is how long a Pod may outlive its grace period before it is told.
const stuckAfter = time.Minute

// stuck is a Pod that was to be gone long ago. Lockstep does not delete it: nobody knows whether its containers still run.
func (p *planner) stuck(f *Slot, pod *Pod) *Problem {
	if !pod.Terminating || pod.Due.IsZero() || !p.past(pod.Due.Add(stuckAfter)) {
		return nil
	}
	why := fmt.Sprintf("its node %s may be gone; once that is certain: kubectl delete pod %s -n %s --force --grace-period=0", orNone(pod.Node), pod.Name, f.Namespace)
	if len(pod.Finalizers) > 0 {
		why = fmt.Sprintf("whoever has set its finalizers (%s) does not take them away; repair that, or: kubectl patch pod %s -n %s --type=merge -p '{\"metadata\":{\"finalizers\":null}}'",
			strings.Join(pod.Finalizers, ", "), pod.Name, f.Namespace)
	}
	return &Problem{Reason: v1alpha1.ReasonPodStuck, Message: fmt.Sprintf("Pod %s in namespace %s was to be gone by %s and is still there, and slot %s is not used before it is: %s",
		pod.Name, f.Namespace, pod.Due.UTC().Format("15:04:05 MST"), f.Name, why)}
}

// stuckNews tells once that a slot does not get empty: no release may be waiting for it.
func (p *planner) stuckNews(s *v1alpha1.SlotStatus, problem *Problem) {
	if was := findSlot(p.was.Slots, s.Name); problem.Reason == v1alpha1.ReasonPodStuck && (was == nil || was.Reason != problem.Reason) {
		p.do(Event{Warning: true, Waiting: true, Reason: problem.Reason, Message: problem.Message, Because: Because(clip(problem.Message, 200))})
	}
}
