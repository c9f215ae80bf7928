package config

import (
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
)

// Notify is how the owners of jobs are notified of their ends.
type Notify struct {
	Function       string        // URL to which events for the function notify are posted; empty: starts can't ask for notifications
	Broker         string        // URL of a Broker that gets the end of each job; none if empty
	Source         string        // of CloudEvents
	Webhooks       bool          // starts may name webhooks
	Expiring       time.Duration // how long before a job expires its owner is notified; 0: never
	AllowNetworks  []string      // networks that webhooks may be in besides the public ones
	ForbidNetworks []string      // networks that webhooks may not be in
	CAFile         string        // further authorities of webhooks and of the mail server, in PEM form; none if empty
	Mail           Mail
}

// Mail is the mail server of a deployment.
type Mail struct {
	Server   string // URL; empty: starts can't name mail addresses
	From     string // address that mail is from
	Password Secret `yaml:"-"` // environment MailPassword
}

// Offer returns which notifications a start may ask for. The networks were checked by Load.
func (n Notify) Offer() notify.Offer {
	if n.Function == "" {
		return notify.Offer{}
	}
	parse := func(texts []string) (list []netip.Prefix) {
		for _, text := range texts {
			if p, err := notify.ParseNetwork(text); err == nil {
				list = append(list, p)
			}
		}
		return list
	}
	return notify.Offer{
		Webhook: n.Webhooks, Email: n.Mail.Server != "",
		Networks: notify.Networks{Allow: parse(n.AllowNetworks), Forbid: parse(n.ForbidNetworks)},
	}
}

func checkNotify(n Notify, found *findings) {
	for _, e := range []struct{ key, value string }{{"Notify.Function", n.Function}, {"Notify.Broker", n.Broker}} {
		u, err := url.Parse(e.value)
		if e.value != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil) {
			found.bad(e.key, "is %q; write a URL such as http://notify.bakta.svc.cluster.local/deliveries", e.value)
		}
	}
	if n.Broker != "" && n.Function == "" {
		found.bad("Notify.Broker", "is set without Notify.Function, so nothing is sent to it")
	}
	if u, err := url.Parse(n.Source); err != nil || n.Source == "" || u.User != nil || strings.ContainsAny(n.Source, " \t\r\n") {
		found.bad("Notify.Source", "is not a URI; write the URL of this deployment, such as https://bakta.example.org")
	}
	for _, e := range []struct {
		key   string
		value []string
	}{{"Notify.AllowNetworks", n.AllowNetworks}, {"Notify.ForbidNetworks", n.ForbidNetworks}} {
		for _, text := range e.value {
			if _, err := notify.ParseNetwork(text); err != nil {
				found.bad(e.key, "contains a wrong entry: %v", err)
				break
			}
		}
	}
	if n.Mail.Server == "" {
		if n.Mail.From != "" {
			found.bad("Notify.Mail.From", "has no effect without Notify.Mail.Server; name the mail server, or remove the key")
		}
		return
	}
	if n.Function == "" {
		found.bad("Notify.Mail.Server", "is set without Notify.Function, so no mail is sent; name the function, or remove the key")
		return
	}
	if _, err := notify.ParseMailServer(n.Mail.Server, n.Mail.From); err != nil {
		found.bad("Notify.Mail.Server", "or Notify.Mail.From is not valid: %v", err)
	}
}
