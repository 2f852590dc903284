package plan

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// ordinary reasons come and go in a release that goes well.
var ordinary = []string{
	v1alpha1.ReasonLive, v1alpha1.ReasonNothingReleased, v1alpha1.ReasonSuspended, v1alpha1.ReasonWaitingForTurn, v1alpha1.ReasonProgressing, v1alpha1.ReasonIdle, v1alpha1.ReasonInForce,
	v1alpha1.ReasonAsReleased, v1alpha1.ReasonRendering, v1alpha1.ReasonDeploying, v1alpha1.ReasonAwaitingPromotion,
	v1alpha1.ReasonWaitingForSlot, v1alpha1.ReasonMemberNotReady, v1alpha1.ReasonNoEndpoints, v1alpha1.ReasonDependencyWait,
	v1alpha1.ReasonScaling, v1alpha1.ReasonWritingEntries, v1alpha1.ReasonRouteNotAccepted, v1alpha1.ReasonRouteNotServed,
	v1alpha1.ReasonWorkerHandover, v1alpha1.ReasonWorkerNotReady, v1alpha1.ReasonDraining, v1alpha1.ReasonRetiring, v1alpha1.ReasonSlotNotEmpty,
	v1alpha1.ReasonCheckingContent, v1alpha1.ReasonDialing, v1alpha1.ReasonTryingEntries, v1alpha1.ReasonPreflight, v1alpha1.ReasonNamespaceTerminating,
}

// news tells of what someone has to put right, once it begins: a deadline may be far away, and some waits have none.
func (p *planner) news() {
	known := slices.Clone(ordinary)
	for _, c := range p.was.Conditions {
		known = append(known, c.Reason)
	}
	for _, c := range p.st.Conditions {
		if wrong(c) && !slices.Contains(known, c.Reason) {
			known = append(known, c.Reason)
			p.do(Event{Warning: true, Waiting: true, Reason: c.Reason, Message: c.Message, Because: Because(clip(c.Message, 200))})
		}
	}
}

// wrong is whether a condition may speak of something to put right. Reconciling says what Progressing says.
func wrong(c metav1.Condition) bool {
	switch c.Type {
	case v1alpha1.ConditionReconciling:
		return false
	case v1alpha1.ConditionStalled:
		return c.Status == metav1.ConditionTrue
	case v1alpha1.ConditionProgressing:
		return true
	}
	return c.Status == metav1.ConditionFalse
}
