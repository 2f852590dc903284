package docs_test

import (
	"cmp"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// TestArgoCDHealth runs the health check that the how-to shows, in the interpreter that Argo CD runs it in.
func TestArgoCDHealth(t *testing.T) {
	script := healthCheck(t)
	is := func(kind, status, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, Message: kind + " says " + reason, ObservedGeneration: 2}
	}
	live := is(v1alpha1.ConditionReady, "True", v1alpha1.ReasonLive)
	nothing := is(v1alpha1.ConditionReady, "False", v1alpha1.ReasonNothingReleased)
	idle := is(v1alpha1.ConditionProgressing, "False", v1alpha1.ReasonIdle)
	deploying := is(v1alpha1.ConditionProgressing, "True", v1alpha1.ReasonDeploying)
	held := is(v1alpha1.ConditionProgressing, "True", v1alpha1.ReasonAwaitingPromotion)
	well := is(v1alpha1.ConditionStalled, "False", v1alpha1.ReasonIdle)
	for name, test := range map[string]struct {
		generation int64
		conditions []metav1.Condition
		want, says string
	}{
		"not looked at":                 {2, nil, "Progressing", "not looked at it"},
		"changed since":                 {3, []metav1.Condition{live, well, idle}, "Progressing", "not looked at it"},
		"live":                          {2, []metav1.Condition{live, well, idle}, "Healthy", "says Live"},
		"live, and a release under way": {2, []metav1.Condition{live, well, deploying}, "Progressing", "says Deploying"},
		"live, and one at its hold":     {2, []metav1.Condition{live, well, held}, "Suspended", "says AwaitingPromotion"},
		"live and suspended":            {2, []metav1.Condition{live, well, is(v1alpha1.ConditionProgressing, "False", v1alpha1.ReasonSuspended)}, "Suspended", "says Suspended"},
		"nothing released":              {2, []metav1.Condition{nothing, well, idle}, "Suspended", "says NothingReleased"},
		"the first release":             {2, []metav1.Condition{nothing, well, deploying}, "Progressing", "says Deploying"},
		"down":                          {2, []metav1.Condition{is(v1alpha1.ConditionReady, "False", v1alpha1.ReasonLiveNotReady), well, deploying}, "Degraded", "says LiveNotReady"},
		"stalled":                       {2, []metav1.Condition{live, is(v1alpha1.ConditionStalled, "True", v1alpha1.ReasonInvalidSpec), held}, "Degraded", "says InvalidSpec"},
	} {
		t.Run(name, func(t *testing.T) {
			stack := &v1alpha1.Stack{ObjectMeta: metav1.ObjectMeta{Generation: test.generation}, Status: v1alpha1.StackStatus{Conditions: test.conditions}}
			status, message := health(t, script, stack)
			if status != test.want || !strings.Contains(message, test.says) {
				t.Errorf("it is %s: %q, want %s: %q", status, message, test.want, test.says)
			}
		})
	}
}

func healthCheck(t *testing.T) string {
	t.Helper()
	for _, m := range fence.FindAllStringSubmatch(read(t, "howto/gitops.md"), -1) {
		var settings struct {
			Data map[string]string `json:"data"`
		}
		if m[1] != "yaml" || !strings.Contains(m[2], "argocd-cm") {
			continue
		}
		if err := yaml.Unmarshal([]byte(m[2]), &settings); err != nil {
			t.Fatal(err)
		}
		return settings.Data["resource.customizations.health."+v1alpha1.GroupVersion.Group+"_Stack"]
	}
	t.Fatal("the how-to shows no argocd-cm")
	return ""
}

func health(t *testing.T, script string, stack *v1alpha1.Stack) (status, message string) {
	t.Helper()
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(stack)
	if err != nil {
		t.Fatal(err)
	}
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", valueOf(state, object))
	if err := state.DoString(script); err != nil {
		t.Fatal(err)
	}
	said, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the check returned %v", state.Get(-1))
	}
	return lua.LVAsString(said.RawGetString("status")), cmp.Or(lua.LVAsString(said.RawGetString("message")), "nothing")
}

// valueOf is a JSON value as Lua sees it.
func valueOf(state *lua.LState, in any) lua.LValue {
	switch in := in.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, value := range in {
			table.RawSetString(key, valueOf(state, value))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, value := range in {
			table.Append(valueOf(state, value))
		}
		return table
	case string:
		return lua.LString(in)
	case int64:
		return lua.LNumber(in)
	case bool:
		return lua.LBool(in)
	default:
		return lua.LNil
	}
}
