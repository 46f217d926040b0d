package rolesanywhere

import (
	"maps"
	"slices"

	"daypass.dev/sandbox/world"
)

// events are what a trust anchor notifies of, 45 days before unless it is told
// otherwise.
func events() []string { return []string{"CA_CERTIFICATE_EXPIRY", "END_ENTITY_CERTIFICATE_EXPIRY"} }

const allChannels = "ALL"

type notificationSetting struct {
	Enabled      bool   `json:"enabled"`
	Event        string `json:"event"`
	Threshold    int    `json:"threshold,omitempty"`
	Channel      string `json:"channel"`
	ConfiguredBy string `json:"configuredBy"`
}

// notifications are an anchor's settings: the account's where it has made one,
// else AWS's.
func notifications(a *world.Anchor) []notificationSetting {
	owner, _ := parseARN(a.ARN)
	var all []notificationSetting
	for _, event := range events() {
		s := notificationSetting{true, event, 45, allChannels, servicePrincipal}
		if own, ok := a.Notifications[event]; ok {
			s = notificationSetting{own.Enabled, event, own.Threshold, allChannels, owner.account}
		}
		all = append(all, s)
	}
	return all
}

// An askedSetting is one as a call writes it, or its key alone.
type askedSetting struct {
	Enabled   *bool  `json:"enabled"`
	Event     string `json:"event"`
	Threshold int    `json:"threshold"`
	Channel   string `json:"channel"`
}

func (s askedSetting) checkKey() error {
	if !slices.Contains(events(), s.Event) || s.Channel != "" && s.Channel != allChannels {
		return faultf("anywhere-parameter", "there is no notification setting of %q for channel %q", s.Event, s.Channel)
	}
	return nil
}

// with sets these into settings that are there, which it does not change.
//
// https://docs.aws.amazon.com/rolesanywhere/latest/APIReference/API_NotificationSetting.html
func with(there map[string]world.Notification, asked []askedSetting) (map[string]world.Notification, error) {
	all := map[string]world.Notification{}
	maps.Copy(all, there)
	for _, s := range asked {
		if err := s.checkKey(); err != nil {
			return nil, err
		}
		switch {
		case s.Enabled == nil:
			return nil, faultf("anywhere-parameter", "the setting of %s does not say whether it is enabled", s.Event)
		case (*s.Enabled || s.Threshold != 0) && (s.Threshold < 1 || s.Threshold > 360):
			return nil, faultf("anywhere-parameter", "the threshold of %s is %d days, not 1 to 360", s.Event, s.Threshold)
		}
		all[s.Event] = world.Notification{Enabled: *s.Enabled, Threshold: s.Threshold}
	}
	return all, nil
}

func putNotifications(q *request) error {
	var in struct {
		ID       string         `json:"trustAnchorId"`
		Settings []askedSetting `json:"notificationSettings"`
	}
	if err := q.read(&in); err != nil {
		return err
	}
	return setNotifications(q, in.ID, in.Settings, func(there map[string]world.Notification) (map[string]world.Notification, error) {
		return with(there, in.Settings)
	})
}

// resetNotifications gives settings back to AWS.
func resetNotifications(q *request) error {
	var in struct {
		ID   string         `json:"trustAnchorId"`
		Keys []askedSetting `json:"notificationSettingKeys"`
	}
	if err := q.read(&in); err != nil {
		return err
	}
	return setNotifications(q, in.ID, in.Keys, func(there map[string]world.Notification) (map[string]world.Notification, error) {
		all := maps.Clone(there)
		for _, key := range in.Keys {
			if err := key.checkKey(); err != nil {
				return nil, err
			}
			delete(all, key.Event)
		}
		return all, nil
	})
}

// setNotifications puts what change makes of them in the place of an anchor's
// settings, of which these are named.
func setNotifications(q *request, id string, named []askedSetting, change func(there map[string]world.Notification) (map[string]world.Notification, error)) error {
	q.id = id
	if err := anchors().enter(q); err != nil {
		return err
	}
	if len(named) == 0 {
		return faultf("anywhere-parameter", "no notification setting is named")
	}
	return anchors().change(q, func(_ *world.Account, a *world.Anchor) error {
		all, err := change(a.Notifications)
		if err != nil {
			return err
		}
		a.Notifications, a.Updated = all, q.Time
		return nil
	})
}
