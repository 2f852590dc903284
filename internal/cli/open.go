package cli

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

type openFlags struct {
	entry  string
	host   string
	scheme string
	port   int
	path   string
	live   bool
	print  bool
	output output
}

// doorway is how to reach the preview, or what is live.
type doorway struct {
	Entry string `json:"entry"`
	URL   string `json:"url"`
	// Slot that answers; empty where none is previewed.
	Slot   string              `json:"slot,omitempty"`
	Cookie *v1alpha1.NameValue `json:"cookie,omitempty"`
	Header *v1alpha1.NameValue `json:"header,omitempty"`
	Curl   string              `json:"curl"`
	Notes  []string            `json:"notes,omitempty"`
}

func (a *app) openCommand() *cobra.Command {
	f := &openFlags{}
	cmd := &cobra.Command{
		Use:   "open [STACK]",
		Short: "Open the preview in a browser, or say how to reach it",
		Long: `Start a browser with the address of an entry, and say how to become a tester there.

No address can set a cookie or a header. For a cookie, a line is printed to paste once into the console of the browser's
developer tools, on the page that is opened; from then on the browser shows the preview. A browser cannot be made to send
a header without an extension: where the preview has a header alone, no browser is started, a line for curl is printed,
and the exit code is 1 (with --print, 0).

The host is that of the entry's route, and the scheme that of the gateway's listeners, as far as you may read them; what
stands before the gateway (a load balancer, its port) is not known: give --host, --scheme, --port where they are wrong.`,
		Example: `  kubectl lockstep open shop
  kubectl lockstep open shop --print
  kubectl lockstep open shop --live --path /health --print
  curl $(kubectl lockstep open shop -o json | jq -r '"-H\(.header.name):\(.header.value) \(.url)"')`,
		Args:              atMostOne,
		ValidArgsFunction: a.completeStacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.runOpen(cmd.Context(), args, f) },
	}
	cmd.Flags().StringVar(&f.entry, "entry", "", "entry to go in by (default: the first that has a preview)")
	cmd.Flags().StringVar(&f.host, "host", "", "host to ask for (default: the first of the route)")
	cmd.Flags().StringVar(&f.scheme, "scheme", "", "http or https (default: as the gateway listens)")
	cmd.Flags().IntVar(&f.port, "port", 0, "port to ask at (default: that of the scheme)")
	cmd.Flags().StringVar(&f.path, "path", "/", "path to open")
	cmd.Flags().BoolVar(&f.live, "live", false, "what users see, and not the preview")
	cmd.Flags().BoolVar(&f.print, "print", false, "print it, and start no browser")
	_ = cmd.RegisterFlagCompletionFunc("entry", a.completeEntries)
	_ = cmd.RegisterFlagCompletionFunc("scheme", cobra.FixedCompletions([]string{"http", "https"}, cobra.ShellCompDirectiveNoFileComp))
	outputFlag(cmd, &f.output, outputJSON, outputYAML)
	return cmd
}

func (f *openFlags) check() error {
	switch {
	case f.scheme != "" && f.scheme != "http" && f.scheme != "https":
		return usagef("--scheme %s: give http or https", f.scheme)
	case f.port < 0 || f.port > 65535:
		return usagef("--port %d: give a number from 1 to 65535", f.port)
	case !strings.HasPrefix(f.path, "/"):
		return usagef("--path %s: a path begins with /", f.path)
	}
	return nil
}

func (a *app) runOpen(ctx context.Context, args []string, f *openFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	c, stack, err := a.stack(ctx, args)
	if err != nil {
		return err
	}
	entry, err := entryToOpen(stack, f)
	if err != nil {
		return err
	}
	d, err := c.doorwayOf(ctx, stack, entry, f)
	if err != nil {
		return err
	}
	if f.output.structured() {
		return f.output.encode(a.Out, d)
	}
	a.printDoorway(d)
	switch {
	case f.print:
		return nil
	case d.Cookie == nil && d.Header != nil:
		return fmt.Errorf("no browser was started: it cannot send the header %s by itself, and would show what is live; use the line for curl, or an extension that sets headers", d.Header.Name)
	}
	if err := a.Browse(ctx, d.URL); err != nil {
		return fmt.Errorf("no browser could be started (%w); open the address above by hand", err)
	}
	return nil
}

func entryToOpen(stack *v1alpha1.Stack, f *openFlags) (v1alpha1.Entry, error) {
	var names []string
	for _, e := range stack.Spec.Entries {
		names = append(names, e.Name)
		wanted := f.entry == "" && (f.live || e.Preview != nil)
		if e.Name == f.entry || wanted {
			if e.Preview == nil && !f.live {
				return e, fmt.Errorf("entry %s has no preview; set spec.entries[].preview, or see what users see with --live", e.Name)
			}
			return e, nil
		}
	}
	if f.entry != "" {
		return v1alpha1.Entry{}, usagef("Stack %s has no entry %s; its entries are %s", stack.Name, f.entry, strings.Join(names, ", "))
	}
	return v1alpha1.Entry{}, fmt.Errorf("no entry of Stack %s has a preview; set spec.entries[].preview, or see what users see with --live", stack.Name)
}

// doorwayOf says how to reach an entry.
func (c *Cluster) doorwayOf(ctx context.Context, stack *v1alpha1.Stack, e v1alpha1.Entry, f *openFlags) (*doorway, error) {
	d := &doorway{Entry: e.Name}
	address, err := c.addressOf(ctx, stack, e, f, d)
	if err != nil {
		return nil, err
	}
	d.URL = address
	if f.live {
		d.Slot = unitOf(stack).LiveSlot
	} else if err := d.preview(stack, e.Preview); err != nil {
		return nil, err
	}
	d.Curl = d.curl()
	return d, nil
}

// preview adds how a tester is told from a user, and which slot answers.
func (d *doorway) preview(stack *v1alpha1.Stack, p *v1alpha1.Preview) error {
	d.Cookie, d.Header = p.Cookie, p.Header
	if route := unitOf(stack).Route; route != nil && route.Preview != "" {
		d.Slot = route.Preview
		return nil
	}
	if p.BetweenReleases == v1alpha1.BetweenNone {
		return fmt.Errorf("nothing is in preview, and testers are answered with 404 until then (betweenReleases: None); make a release, or see what users see with --live")
	}
	d.Slot = unitOf(stack).LiveSlot
	d.Notes = append(d.Notes, "nothing is in preview now: testers see what is live")
	return nil
}

func (d *doorway) curl() string {
	words := []string{"curl", "-i"}
	switch {
	case d.Header != nil:
		words = append(words, "-H", "'"+d.Header.Name+": "+d.Header.Value+"'")
	case d.Cookie != nil:
		words = append(words, "-b", "'"+d.Cookie.Name+"="+d.Cookie.Value+"'")
	}
	return strings.Join(append(words, quote(d.URL)), " ")
}

// quote makes one word of a text for a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func (a *app) printDoorway(d *doorway) {
	printf(a.Out, "%s\n", d.URL)
	if d.Slot != "" {
		printf(a.Out, "  answers   slot %s\n", d.Slot)
	}
	if d.Cookie != nil {
		printf(a.Out, "  browser   in the console of its developer tools, on that page:\n")
		printf(a.Out, "            document.cookie = \"%s=%s; path=/\"; location.reload()\n", d.Cookie.Name, d.Cookie.Value)
		printf(a.Out, "            and to be a user again:\n")
		printf(a.Out, "            document.cookie = \"%s=; path=/; max-age=0\"; location.reload()\n", d.Cookie.Name)
	}
	if d.Header != nil {
		printf(a.Out, "  header    %s: %s (a browser needs an extension to send it)\n", d.Header.Name, d.Header.Value)
	}
	printf(a.Out, "  shell     %s\n", d.Curl)
	for _, n := range d.Notes {
		printf(a.Out, "  note      %s\n", n)
	}
}

// browse starts the browser of the desktop. The address is one word to it, and begins with http.
func browse(ctx context.Context, address string) error {
	words := []string{"xdg-open"}
	switch runtime.GOOS {
	case "darwin":
		words = []string{"open"}
	case "windows":
		words = []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	out, err := exec.CommandContext(ctx, words[0], append(slices.Clone(words[1:]), address)...).CombinedOutput()
	if err != nil && len(out) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return err
}

func addressFor(scheme, host string, port int, path string) string {
	standard := map[string]int{"http": 80, "https": 443}[scheme]
	if port != 0 && port != standard {
		host = net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port))
	}
	return scheme + "://" + host + path
}
