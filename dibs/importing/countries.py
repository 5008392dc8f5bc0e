"""Country names as ISO 3166-1 alpha-2 codes: the English short names, and what people write instead."""

import re
import unicodedata

# A code and its names. Names that stand for no single country have no code: “Channel Islands” (Jersey is JE and
# Guernsey GG), “European Community”, “Unspecified”.
_TABLE = """
AD Andorra
AE United Arab Emirates|UAE|Dubai|Abu Dhabi
AF Afghanistan
AG Antigua and Barbuda|Antigua
AI Anguilla
AL Albania
AM Armenia
AO Angola
AQ Antarctica
AR Argentina
AS American Samoa|Samoa (American)
AT Austria
AU Australia
AW Aruba
AX Åland Islands|Åland
AZ Azerbaijan
BA Bosnia and Herzegovina|Bosnia|Bosnia-Herzegovina
BB Barbados
BD Bangladesh
BE Belgium
BF Burkina Faso
BG Bulgaria
BH Bahrain
BI Burundi
BJ Benin
BL Saint Barthélemy
BM Bermuda
BN Brunei Darussalam|Brunei
BO Bolivia|Bolivia (Plurinational State of)|Plurinational State of Bolivia
BQ Bonaire, Sint Eustatius and Saba|Caribbean Netherlands|Bonaire
BR Brazil
BS Bahamas
BT Bhutan
BV Bouvet Island
BW Botswana
BY Belarus|Belorussia
BZ Belize
CA Canada
CC Cocos (Keeling) Islands|Cocos Islands|Keeling Islands
CD Congo (Democratic Republic of the)|Congo, The Democratic Republic of the|Democratic Republic of the Congo|DR Congo
CF Central African Republic
CG Congo|Republic of the Congo|Congo (Republic)|Congo-Brazzaville
CH Switzerland
CI Côte d'Ivoire|Ivory Coast
CK Cook Islands
CL Chile
CM Cameroon
CN China|People's Republic of China|Mainland China
CO Colombia
CR Costa Rica
CU Cuba
CV Cabo Verde|Cape Verde
CW Curaçao
CX Christmas Island
CY Cyprus
CZ Czechia|Czech Republic
DE Germany|Federal Republic of Germany
DJ Djibouti
DK Denmark
DM Dominica
DO Dominican Republic
DZ Algeria
EC Ecuador
EE Estonia
EG Egypt
EH Western Sahara
ER Eritrea
ES Spain|Canary Islands
ET Ethiopia
FI Finland
FJ Fiji
FK Falkland Islands (Malvinas)|Falkland Islands
FM Micronesia (Federated States of)|Federated States of Micronesia|Micronesia
FO Faroe Islands|Faeroe Islands
FR France
GA Gabon
GB United Kingdom|UK|Great Britain|England|Scotland|Wales|Northern Ireland
GD Grenada
GE Georgia
GF French Guiana
GG Guernsey
GH Ghana
GI Gibraltar
GL Greenland
GM Gambia
GN Guinea
GP Guadeloupe
GQ Equatorial Guinea
GR Greece|Hellas
GS South Georgia and the South Sandwich Islands|South Georgia
GT Guatemala
GU Guam
GW Guinea-Bissau
GY Guyana
HK Hong Kong|Hong Kong SAR|Hong Kong SAR China
HM Heard Island and McDonald Islands
HN Honduras
HR Croatia
HT Haiti
HU Hungary
ID Indonesia
IE Ireland|EIRE|Republic of Ireland|Irish Republic
IL Israel
IM Isle of Man
IN India
IO British Indian Ocean Territory
IQ Iraq
IR Iran|Iran (Islamic Republic of)|Islamic Republic of Iran
IS Iceland
IT Italy
JE Jersey
JM Jamaica
JO Jordan
JP Japan
KE Kenya
KG Kyrgyzstan|Kyrgyz Republic
KH Cambodia
KI Kiribati
KM Comoros
KN Saint Kitts and Nevis|Saint Kitts
KP Korea (Democratic People's Republic of)|Democratic People's Republic of Korea|North Korea|Korea (North)|DPRK
KR Korea, Republic of|Republic of Korea|South Korea|Korea (South)|Korea
KW Kuwait
KY Cayman Islands
KZ Kazakhstan
LA Lao People's Democratic Republic|Laos
LB Lebanon
LC Saint Lucia
LI Liechtenstein
LK Sri Lanka
LR Liberia
LS Lesotho
LT Lithuania
LU Luxembourg
LV Latvia
LY Libya|Libyan Arab Jamahiriya
MA Morocco
MC Monaco
MD Moldova|Moldova, Republic of|Republic of Moldova
ME Montenegro
MF Saint Martin (French part)|Saint Martin|Saint Martin (French)
MG Madagascar
MH Marshall Islands
MK North Macedonia|Macedonia|Republic of North Macedonia|FYROM
ML Mali
MM Myanmar|Burma|Myanmar (Burma)
MN Mongolia
MO Macao|Macau|Macao SAR
MP Northern Mariana Islands
MQ Martinique
MR Mauritania
MS Montserrat
MT Malta
MU Mauritius
MV Maldives
MW Malawi
MX Mexico
MY Malaysia
MZ Mozambique
NA Namibia
NC New Caledonia
NE Niger
NF Norfolk Island
NG Nigeria
NI Nicaragua
NL Netherlands|Netherlands, Kingdom of the|Kingdom of the Netherlands|Holland
NO Norway
NP Nepal
NR Nauru
NU Niue
NZ New Zealand
OM Oman
PA Panama
PE Peru
PF French Polynesia
PG Papua New Guinea
PH Philippines
PK Pakistan
PL Poland
PM Saint Pierre and Miquelon
PN Pitcairn|Pitcairn Islands
PR Puerto Rico
PS Palestine, State of|State of Palestine|Palestine|Palestinian Territory, Occupied|Palestinian Territories
PT Portugal|Madeira|Azores
PW Palau
PY Paraguay
QA Qatar
RE Réunion|Reunion Island
RO Romania
RS Serbia
RU Russian Federation|Russia
RW Rwanda
SA Saudi Arabia
SB Solomon Islands
SC Seychelles
SD Sudan
SE Sweden
SG Singapore
SH Saint Helena, Ascension and Tristan da Cunha|Saint Helena|Ascension Island|Tristan da Cunha
SI Slovenia
SJ Svalbard and Jan Mayen|Svalbard
SK Slovakia|Slovak Republic
SL Sierra Leone
SM San Marino
SN Senegal
SO Somalia
SR Suriname|Surinam
SS South Sudan
ST Sao Tome and Principe
SV El Salvador
SX Sint Maarten (Dutch part)|Sint Maarten|Saint Maarten (Dutch)
SY Syrian Arab Republic|Syria
SZ Eswatini|Swaziland|Eswatini (Swaziland)
TC Turks and Caicos Islands|Turks and Caicos
TD Chad
TF French Southern Territories
TG Togo
TH Thailand
TJ Tajikistan
TK Tokelau
TL Timor-Leste|East Timor
TM Turkmenistan
TN Tunisia
TO Tonga
TR Türkiye|Turkey
TT Trinidad and Tobago|Trinidad
TV Tuvalu
TW Taiwan|Taiwan (Province of China)|Taiwan, Republic of China
TZ Tanzania|Tanzania, United Republic of|United Republic of Tanzania
UA Ukraine
UG Uganda
UM United States Minor Outlying Islands|US Minor Outlying Islands
US United States|United States of America|USA|America
UY Uruguay
UZ Uzbekistan
VA Holy See|Holy See (Vatican City State)|Vatican City|Vatican City State|Vatican
VC Saint Vincent and the Grenadines|Saint Vincent
VE Venezuela|Venezuela (Bolivarian Republic of)|Bolivarian Republic of Venezuela
VG Virgin Islands (British)|British Virgin Islands|Virgin Islands (UK)
VI Virgin Islands (U.S.)|United States Virgin Islands|US Virgin Islands
VN Viet Nam|Vietnam
VU Vanuatu
WF Wallis and Futuna|Wallis and Futuna Islands
WS Samoa|Western Samoa
YE Yemen
YT Mayotte
ZA South Africa|RSA|Republic of South Africa
ZM Zambia
ZW Zimbabwe
"""


def country_code(text: str) -> str | None:
    """The code for a country's name in any case, or for a code that exists; None for all else."""
    code = text.strip()
    if code.isascii() and code.upper() in _CODES:
        return code.upper()
    return _CODES_BY_NAME.get(_plain(code))


def _plain(name: str) -> str:
    """The name without accents, punctuation, a leading “the”, and the many ways to write “and” and “Saint”."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).casefold()
    spelt_out = re.sub("[.'\u2018\u2019]", "", letters).replace("&", " and ")
    words = re.findall(r"\w+", spelt_out)
    return " ".join("saint" if word == "st" else word for word in words[words[:1] == ["the"] :])


_NAMES_BY_CODE = {line[:2]: line[3:].split("|") for line in _TABLE.strip().splitlines()}
_CODES = frozenset(_NAMES_BY_CODE)
_CODES_BY_NAME = {_plain(name): code for code, names in _NAMES_BY_CODE.items() for name in names}
