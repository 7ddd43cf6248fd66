//! The pages for a browser, of a real daemon with a past: what was decided, what went and what proved it right, image by image.

use chrono::TimeDelta;

use crate::world::{N_DUE, SHOP, World, ripe_shop};

/// The links of a page whose text is this.
fn link(page: &str, text: &str) -> Option<String> {
    let (before, _) = page.split_once(&format!(">{text}</a>"))?;
    let (_, link) = before.rsplit_once("href=\"")?;
    Some(link.split('"').next()?.replace("&amp;", "&"))
}

/// The shop, some days after its daemon has begun.
async fn lived_in_shop() -> World {
    let mut world = ripe_shop().await;
    world.live(TimeDelta::days(2)).await;
    assert_eq!(world.n_deleted(), N_DUE);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_shows_the_curve_what_went_and_its_proofs() {
    let world = lived_in_shop().await;
    let (code, shown) = world.browse("/").await;
    assert_eq!(code, 200);
    assert_eq!(shown.matches("class=\"curve ").count(), 2, "one for a desk and one for a phone: {shown}");
    assert_eq!(shown.matches("<svg aria-label=\"The last 30 days").count(), SHOP.len(), "{shown}");
    assert!(shown.contains(&format!("{N_DUE} images since ")), "{shown}");
    assert_eq!(shown.matches("at once").count(), N_DUE, "a proof beside each: {shown}");
    assert!(shown.contains("not enough history"), "three days are no rate: {shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_repository_shows_each_image_with_its_verdict_its_user_and_its_reason() {
    let world = lived_in_shop().await;
    let (_, shown) = world.browse("/repositories/shop-web").await;
    for tag in world.tags("shop-web") {
        assert!(shown.contains(&format!("<code class=\"tag\">{tag}</code>")), "{tag}: {shown}");
    }
    let v2 = world.digest("shop-web", "v2").short();
    let (_, row) = shown.split_once(&v2).unwrap();
    let row = row.split_once("</tr>").unwrap().0;
    assert!(row.contains("in use by") && row.contains("web on shop-1") && row.contains("stays"), "{row}");
    assert!(shown.contains("rule \u{201c}the newest\u{201d}"), "{shown}");
    let (_, gone) = world.browse("/repositories/shop-web?state=gone").await;
    assert!(gone.contains("<code class=\"tag\">v1</code>") && !gone.contains(&v2), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_long_list_hold_every_image_once() {
    let mut world = ripe_shop().await;
    let builds: Vec<String> = (0..70).map(|n| format!("b{n:02}")).collect();
    for build in &builds {
        world.push("shop-api", build);
    }
    world.live(TimeDelta::hours(2)).await;
    let (mut path, mut n_parts, mut all) = ("/repositories/shop-api".to_owned(), 0, String::new());
    loop {
        let (code, shown) = world.browse(&path).await;
        assert_eq!(code, 200, "{path}");
        let images = shown.split_once("id=\"images\"").unwrap().1.split_once("</section>").unwrap().0;
        all.push_str(images);
        n_parts += 1;
        match link(images, "Older") {
            Some(next) => path = next.split('#').next().unwrap().to_owned(),
            None => break,
        }
    }
    assert!(n_parts > 1);
    for build in &builds {
        assert_eq!(all.matches(&format!("<code class=\"tag\">{build}</code>")).count(), 1, "{build}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_is_shown_whole_and_by_repository() {
    let world = lived_in_shop().await;
    let (_, all) = world.browse("/deletions").await;
    assert_eq!(all.matches("role=\"rowheader\"").count(), N_DUE, "{all}");
    let (_, own) = world.browse("/deletions?repository=shop-web").await;
    let n_own = world.n_deleted_from("shop-web");
    assert_eq!(own.matches("role=\"rowheader\"").count(), n_own, "{own}");
    assert!(!own.contains("shop-api"), "{own}");
}
