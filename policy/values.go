package policy

import (
	"math/big"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// decimal bounds what a number may cost: no more digits, and no larger
// exponent, than any key of AWS holds.
var decimal = regexp.MustCompile(`^[+-]?([0-9]{1,64}(\.[0-9]{0,64})?|\.[0-9]{1,64})([eE][+-]?[0-9]{1,3})?$`)

func parseNumber(text string) (*big.Rat, bool) {
	if !decimal.MatchString(text) {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

func readNumber(holds func(int) bool) reading {
	return func(t template) (comparison, bool) {
		wanted, sound := parseNumber(t.text)
		return func(_ *env, actual string) outcome {
			n, ok := parseNumber(actual)
			if !ok {
				return unreadable
			}
			return verdict(sound && holds(n.Cmp(wanted)))
		}, sound
	}
}

func readDate(holds func(int) bool) reading {
	return func(t template) (comparison, bool) {
		wanted, sound := parseDate(t.text)
		return func(_ *env, actual string) outcome {
			at, ok := parseDate(actual)
			if !ok {
				return unreadable
			}
			return verdict(sound && holds(at.Compare(wanted)))
		}, sound
	}
}

// isoDate is looser than ISO 8601, as IAM is: 2030, 2030-1, 01T and
// 2016-12-13t2:00:00.5+23 are dates.
var isoDate = regexp.MustCompile(`^(-?[0-9]{1,9})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?` +
	`(?:[tT](?:([0-9]{1,2})(?::([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]{1,9}))?)?)?)?` +
	`(?:[zZ]|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?$`)

// maxYear is the last year that fits the milliseconds AWS counts in.
const maxYear = 292278993

// parseDate reads ISO 8601 or seconds since 1970, to the millisecond, which is
// as far as AWS compares.
func parseDate(text string) (time.Time, bool) {
	if !strings.ContainsAny(text, "tT-") || strings.HasPrefix(text, "-") && strings.Contains(text, ".") {
		return parseEpoch(text)
	}
	m := isoDate.FindStringSubmatch(text)
	if m == nil {
		return time.Time{}, false
	}
	number := func(i, missing int) int {
		if m[i] == "" {
			return missing
		}
		n, _ := strconv.Atoi(m[i]) // at most nine digits
		return n
	}
	year, month, day := number(1, 0), number(2, 1), number(3, 1)
	hour, minute, second := number(4, 0), number(5, 0), number(6, 0)
	zone := 60*number(9, 0) + number(10, 0)
	if year < -maxYear || year > maxYear || month < 1 || month > 12 || day < 1 || day > 31 ||
		hour > 23 || minute > 59 || second > 59 || number(9, 0) > 23 || number(10, 0) > 59 {
		return time.Time{}, false
	}
	if m[8] == "-" {
		zone = -zone
	}
	nanos, _ := strconv.Atoi((m[7] + "000000000")[:9])
	at := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	return at.Add(-time.Duration(zone) * time.Minute).Truncate(time.Millisecond), true
}

func parseEpoch(text string) (time.Time, bool) {
	n, ok := parseNumber(text)
	if !ok {
		return time.Time{}, false
	}
	millis := new(big.Int).Quo(new(big.Int).Mul(n.Num(), big.NewInt(1000)), n.Denom())
	if !millis.IsInt64() {
		return time.Time{}, false
	}
	return time.UnixMilli(millis.Int64()).UTC(), true
}

func readNetwork(t template) (comparison, bool) {
	network, sound := parseNetwork(t.text)
	return func(_ *env, actual string) outcome {
		address, ok := parseAddress(actual)
		if !ok {
			return unreadable
		}
		return verdict(sound && network.Contains(address.Unmap()))
	}, sound
}

// parseNetwork reads a network of a policy. IPv4 may have bits beyond the
// prefix, which do not count; IPv6 may not.
func parseNetwork(text string) (netip.Prefix, bool) {
	host, length, found := strings.Cut(text, "/")
	address, ok := parseAddress(host)
	if !ok || address.Is6() && strings.Contains(host, ".") {
		return netip.Prefix{}, false
	}
	bits := address.BitLen()
	if found {
		n, err := strconv.ParseUint(strings.TrimPrefix(length, "+"), 10, 8)
		if err != nil || int(n) > bits {
			return netip.Prefix{}, false
		}
		bits = int(n)
	}
	network := netip.PrefixFrom(address, bits)
	return network, address.Is4() || network == network.Masked()
}

// parseAddress reads an address as AWS does: IPv4 with leading zeros in
// decimal, IPv6 with an empty group at its ends or beside its ::, and with
// dots only where it stands for an IPv4 address.
func parseAddress(text string) (netip.Addr, bool) {
	if !strings.Contains(text, ":") {
		return parseIPv4(text)
	}
	if strings.HasPrefix(text, ":") && !strings.HasPrefix(text, "::") {
		text = "0" + text
	}
	if left, right, found := strings.Cut(text, "::"); found {
		if strings.Contains(right, "::") {
			return netip.Addr{}, false
		}
		text = left + "::" + strings.Trim(right, ":")
	} else {
		text = strings.TrimSuffix(text, ":")
	}
	address, err := netip.ParseAddr(text)
	dotted := strings.Contains(text, ".") && !address.Is4In6()
	return address, err == nil && address.Zone() == "" && !dotted
}

func parseIPv4(text string) (netip.Addr, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 4 {
		return netip.Addr{}, false
	}
	var octets [4]byte
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil {
			return netip.Addr{}, false
		}
		octets[i] = byte(n)
	}
	return netip.AddrFrom4(octets), true
}
