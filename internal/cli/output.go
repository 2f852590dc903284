package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"
)

// output is the value of -o.
type output string

const (
	outputText output = ""
	outputWide output = "wide"
	outputJSON output = "json"
	outputYAML output = "yaml"
	outputName output = "name"
)

// outputFlag adds -o with the formats that a command can print.
func outputFlag(cmd *cobra.Command, o *output, formats ...output) {
	var names []string
	for _, f := range formats {
		names = append(names, string(f))
	}
	all := strings.Join(names, "|")
	cmd.Flags().VarP(&outputValue{o, formats, all}, "output", "o", "how to print it: "+all)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
}

type outputValue struct {
	to      *output
	formats []output
	all     string
}

func (v *outputValue) String() string { return string(*v.to) }
func (v *outputValue) Type() string   { return "format" }

func (v *outputValue) Set(s string) error {
	if !slices.Contains(v.formats, output(s)) {
		return fmt.Errorf("unknown format; this command prints %s", v.all)
	}
	*v.to = output(s)
	return nil
}

func (o output) structured() bool { return o == outputJSON || o == outputYAML }

// controls are those that terminals obey, and that encoding/json leaves as they are.
var controls = regexp.MustCompile(`[\x{7f}-\x{9f}]`)

func escaped(control []byte) []byte {
	r, _ := utf8.DecodeRune(control)
	return fmt.Appendf(nil, `\u%04x`, r)
}

func (o output) encode(w io.Writer, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	raw = append(controls.ReplaceAllFunc(raw, escaped), '\n')
	if o == outputYAML {
		if raw, err = yaml.JSONToYAML(raw); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	_, err = w.Write(raw)
	return err
}

// object prints an object of the API as kubectl would.
func (o output) object(w io.Writer, obj client.Object, scheme *runtime.Scheme) error {
	if o == outputName {
		_, err := fmt.Fprintln(w, resource(obj))
		return err
	}
	obj = obj.DeepCopyObject().(client.Object)
	gvk, err := apiutil.GVKForObject(obj, scheme)
	if err != nil {
		return err
	}
	obj.GetObjectKind().SetGroupVersionKind(gvk)
	obj.SetManagedFields(nil)
	return o.encode(w, obj)
}
