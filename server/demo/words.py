"""The words of the sample data: what an imaginary civic-tech brigade works on, and with whom.

Only text lives here; `server.demo.records` puts it together.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """One cause of the brigade: its tags, who asks for help, and the projects it led to."""

    tag: str
    label: str
    related: tuple[str, ...]
    partner: str
    problem: str
    data: str
    projects: tuple[tuple[str, str], ...]


TOPICS = (
    Topic(
        "food-access",
        "food access",
        ("health", "mapping", "mutual-aid"),
        "the Eastside Food Bank",
        "Families without a car spend an hour on two buses to reach a full grocery store.",
        "grocery licenses, pantry hours and bus stops",
        (
            ("Food Access Map", "Every pantry, market and grocery within a walk or a bus ride."),
            ("Pantry Hours", "One trusted list of food pantry hours, kept by the pantries."),
            ("Fresh Stop Finder", "Tells by text message where the produce truck stops next."),
            ("Summer Meals Lookup", "Finds free summer meals for children near any school."),
            ("Surplus to Supper", "Matches restaurants with food to spare and shelters in need."),
        ),
    ),
    Topic(
        "transit",
        "public transit",
        ("mobility", "open-data", "accessibility"),
        "the Riders' Union",
        "Late buses hit hardest where people have no other way to get to work.",
        "real-time vehicle positions and the published timetable",
        (
            ("Late Bus Ledger", "Keeps a public record of which buses run late, where and when."),
            ("Elevator Watch", "Warns riders who use wheelchairs when a station elevator is out."),
            ("Fare Help", "Explains in six languages who may ride for half price, and how."),
            ("Night Routes", "Plans trips home for people whose shift ends after the last train."),
            ("Bus Shelter Census", "Neighbors photograph which stops have shade and a seat."),
        ),
    ),
    Topic(
        "housing",
        "housing",
        ("legal-aid", "open-data", "tenants"),
        "the Tenants' Rights Clinic",
        "Most tenants who lose an eviction case never had anyone beside them in court.",
        "court calendars, rental licenses and inspection results",
        (
            ("Eviction Court Calendar", "Turns the daily court list into reminders for tenants."),
            ("Repair Request Diary", "Documents repairs for tenants in a form that judges accept."),
            ("Who Owns My Building", "Follows shell companies to the landlord behind an address."),
            ("Lead Safe Rentals", "Checks whether a rental passed its lead paint inspection."),
            ("Rent Relief Screener", "Six plain questions that tell which rent help to apply for."),
        ),
    ),
    Topic(
        "elections",
        "elections",
        ("voting", "civic-education", "accessibility"),
        "the League of Neighborhood Voters",
        "Half of the calls to the election office ask the same five questions.",
        "polling places, sample ballots and turnout by precinct",
        (
            ("Ballot in Plain Words", "Rewrites ballot questions for a tired parent at bedtime."),
            ("Where Do I Vote", "Polling place lookup that still works on a slow phone."),
            ("Poll Worker Signup", "Matches polling shifts with people who speak the language."),
            ("Turnout Atlas", "Maps turnout by precinct across twenty years of elections."),
        ),
    ),
    Topic(
        "trees",
        "trees and parks",
        ("climate", "mapping", "environment"),
        "Friends of the Urban Forest",
        "On the hottest days, blocks without trees are twelve degrees warmer than the park.",
        "the street tree inventory and surface temperatures from satellites",
        (
            ("Adopt a Street Tree", "Gives every young tree a neighbor who waters it in summer."),
            ("Shade Walk", "Finds the shadiest walking route on a hot afternoon."),
            ("Park Bench Audit", "Volunteers record what is broken in each park, once a season."),
            ("Heat Island Map", "Sets tree cover beside heat, income and asthma, block by block."),
        ),
    ),
    Topic(
        "water",
        "water quality",
        ("environment", "health", "sensors"),
        "the River Keepers",
        "Nobody could say whether it was safe to let the dog swim after last night's rain.",
        "sewer overflow alerts and weekly samples by volunteers",
        (
            ("Creek Watch", "Publishes volunteer water samples with a green, yellow or red flag."),
            ("Overflow Alert", "Sends a message when the sewers spill into the river."),
            ("Lead Pipe Lookup", "Tells whether a house has a lead pipe, and how to replace it."),
            ("Fountain Finder", "Maps drinking fountains, with a button that reports dry ones."),
        ),
    ),
    Topic(
        "services",
        "city services",
        ("311", "service-design", "content"),
        "the Office of Resident Services",
        "A pothole report went through four departments before anybody read it.",
        "311 requests with their times of opening and closing",
        (
            ("311 Follow-Up", "Shows what became of each service request, without a login."),
            ("Plain Forms", "Redesigns the ten most abandoned city forms, one each month."),
            ("Snow Plow Tracker", "Shows when a plow last passed your block."),
            ("Permit Path", "Walks small businesses through permits in the right order."),
            ("Trash Day", "A calendar feed and text reminders for every pickup zone."),
        ),
    ),
    Topic(
        "budget",
        "the city budget",
        ("transparency", "open-data", "civic-education"),
        "the Budget Justice Coalition",
        "The budget is a 900 page document that council members receive on a Friday.",
        "adopted budgets, contracts and monthly spending",
        (
            ("Budget Explorer", "Lets residents compare ten years of spending in two clicks."),
            ("Follow the Contract", "Joins contracts, payments and the vendors behind them."),
            ("People's Budget Game", "Balance the budget at a kitchen table, with real numbers."),
            ("Council Vote Archive", "Every council vote since 1998, searchable by subject."),
        ),
    ),
    Topic(
        "language",
        "language access",
        ("translation", "inclusion", "content"),
        "the Newcomers' Welcome Center",
        "Emergency alerts reached most of the city in one language only.",
        "interpreter requests and languages spoken at home",
        (
            ("Translation Commons", "Volunteer translators share a glossary for city terms."),
            ("Interpreter on Call", "Books interpreters for school meetings in two messages."),
            ("Bienvenidos Guide", "A first-week guide for new neighbors, in nine languages."),
            ("Alert Relay", "Repeats emergency alerts in the languages people speak."),
        ),
    ),
    Topic(
        "digital-equity",
        "digital equity",
        ("broadband", "inclusion", "education"),
        "the Public Library",
        "One in five homes near the shipyard has no broadband, and the library closes at six.",
        "speed tests, library sessions and census tables",
        (
            ("Wi-Fi After Dark", "Maps where free Wi-Fi reaches when the library has closed."),
            ("Refurb Club", "Repairs donated laptops and tracks each one to its new owner."),
            ("Speed Test Sundays", "Neighbors measure broadband, to contest the official map."),
            ("Tech Help Desk", "Schedules patient volunteers for one hour of help at a branch."),
        ),
    ),
    Topic(
        "air",
        "air quality",
        ("environment", "sensors", "health"),
        "the Asthma Action Network",
        "The only official monitor stands upwind of the highway.",
        "readings of forty low-cost sensors on porches",
        (
            ("Porch Sensors", "A loan library of air sensors, with setup by a neighbor."),
            ("Recess Outside", "Tells school nurses each morning whether recess can be outdoors."),
            ("Smoke Day", "Where to find clean indoor air when wildfire smoke arrives."),
            ("Truck Route Counter", "Counts diesel trucks on streets that forbid them."),
        ),
    ),
    Topic(
        "emergency",
        "emergency response",
        ("resilience", "mutual-aid", "mapping"),
        "the Neighborhood Emergency Team",
        "During the flood, three volunteers kept the shelter list in a group chat.",
        "shelter status, road closures and check-in forms",
        (
            ("Shelter Board", "One page that shows which shelters are open and what they need."),
            ("Check on Neighbors", "A phone tree for heat waves, with a paper fallback."),
            ("Flood Line", "Old flood marks and new street sensors on one map."),
            ("Supply Match", "Connects donations with requests, from blankets to baby food."),
        ),
    ),
)

# Words separated by blanks.
FIRST_NAMES = """
Amara Zoë José Priya Łukasz Mei Renée Tomás Aisha Björn Camila Dmitri Élodie Farid Grace
Hüseyin Inês Jamal Keiko Laszló Maëlle Nnamdi Oluwaseun Paloma Quinn Rosalía Siobhán Thảo
Ursula Víctor Wanda Ximena Yusuf Zeynep Andrés Beatriz Chloë Darnell Eszter Françoise
Gabriel Hana Ivy Joaquín
"""

LAST_NAMES = """
Okafor Núñez Lindström Nguyễn Baptiste Çelik García Fernández Kowalski Müller Adeyemi Tanaka
O'Brien Szabó Petrović Washington Ibáñez Haddad Johansson Castañeda Dvořák Begum Freeman
Gómez Håkansson Iyer Jørgensen Kim López Mbeki Novák Ortiz Peña Quispe Robinson Sørensen
Torres Underwood Vásquez Wójcik Yücel Zamora
"""

ROLES = (
    ("organizer", "keeps hack nights running"),
    ("developer", "writes the parts that talk to other systems"),
    ("designer", "turns interviews into paper prototypes"),
    ("researcher", "sits with residents while they try our tools"),
    ("data analyst", "cleans spreadsheets that nobody else dares to open"),
    ("writer", "rewrites official letters until they make sense"),
    ("product manager", "asks who this is for, every single week"),
    ("translator", "checks that our words survive in three languages"),
    ("community partner", "brings questions from the neighborhood, and soup"),
    ("mapmaker", "draws boundaries and argues about projections"),
)

BACKGROUNDS = (
    "A former bus driver who knows every stop by heart.",
    "Moved here from Montréal and still writes commit messages in two languages.",
    "Taught fourth grade for eleven years before learning to program.",
    "Works in a hospital by day and came to the first hack night by accident.",
    "Grew up three blocks from the community garden on Delaney Street.",
    "Retired from the water department, where the valves have stories.",
    "Studies public policy and keeps a list of confusing signs.",
    "Runs a bakery, so meetings end well.",
    "Spent a decade in newspaper graphics.",
    "Started as a tester of our text messages and stayed.",
    "Maintains two open source libraries and one very old bicycle.",
    "Came for the data, stayed for the neighbors.",
)

SKILLS = """
python javascript sql gis research facilitation writing translation design accessibility
testing statistics photography outreach teaching devops
"""

VENUES = (
    ("Central Library, Room 4", "Downtown"),
    ("Delaney Street Community Garden", "Eastside"),
    ("St. Brigid's Parish Hall", "Harbor"),
    ("Café Río", "Mission Flats"),
    ("Franklin Middle School", "Northgate"),
    ("City Hall Annex", "Downtown"),
    ("The Old Firehouse", "Shipyard"),
    ("Peña Cultural Center", "Mission Flats"),
)

EVENT_KINDS = (
    ("hack-night", "Hack Night", "Bring a laptop or a question; newcomers get a guide and pizza."),
    ("workshop", "Workshop", "Two hours, no experience needed; leave with something that works."),
    ("listening", "Listening Session", "Residents talk, we take notes, and nobody pitches an app."),
    ("walk", "Data Walk", "We walk the route, count what we see and compare it with the map."),
    ("demo", "Demo Day", "Teams show what changed for somebody, in five minutes each."),
)

POST_TITLES = (
    "What We Learned About {label} This Season",
    "{project}, One Year In",
    "Why {project} Starts With a Phone Call",
    "Field Notes: An Afternoon With {partner}",
)

LESSONS = (
    "The first version asked for an address; the second asks for a landmark, and people finish it.",
    "Half of our users share a phone, so nothing may depend on staying signed in.",
    "We printed the page. The paper copy on the fridge turned out to be the product.",
    "A spreadsheet that the partner can edit beat the database that only we could reach.",
    "Every field we removed raised the completion rate; the map came last.",
    "Text messages outperformed the website by four to one, at a cost of eleven dollars a month.",
    "The data was open all along, but published as a scanned image of a printed table.",
    "We stopped counting visits and started to count problems solved.",
)

NEXT_STEPS = (
    "Next month we hand the keys to {partner}, and stay on call for a season.",
    "Before winter we want two more neighborhoods and a second maintainer.",
    "If you speak Somali, Vietnamese or Portuguese, the glossary needs an hour of your time.",
    "The code is small on purpose. Come and make it smaller.",
    "We will publish the numbers again in spring, good or bad.",
)
